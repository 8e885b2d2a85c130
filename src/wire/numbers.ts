/*
 * protobufjs without Long. With the package `long` anywhere in the tree it decodes every uint64 into an object; all our
 * 64-bit fields are counts and times below 2^53, so they are to be plain numbers. It must be switched off before the
 * generated code is loaded, since that takes its default values then: hence a module of its own, imported first.
 */
import protobuf from 'protobufjs/minimal.js';

(protobuf.util as { Long: unknown }).Long = undefined;
protobuf.configure();

export const Reader: typeof protobuf.Reader = protobuf.Reader;
export type Reader = protobuf.Reader;
export const util: typeof protobuf.util = protobuf.util;
