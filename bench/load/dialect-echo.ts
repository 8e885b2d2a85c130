/* Frames that come back as they are: what bench/floor-echo.ts answers. As long as a GetReply with one value. */
import { readU32 } from '../../src/lib/bytes.js';
import { FRAME_HEADER_BYTES } from '../../src/model/limits.js';
import { writeFrameHeader } from '../../src/wire/frame.js';
import { PING } from '../../src/wire/kinds.js';
import type { WireDialect } from './dialect.js';
import { MISMATCH } from './dialect.js';
import type { Plan } from './plan.js';
import { OK } from './recorder.js';

/** Key, context and origin: about what a reply of Partita carries beside the value. */
export const ECHO_OVERHEAD_BYTES = 100;

export class EchoDialect implements WireDialect {
  readonly greeting: Uint8Array = new Uint8Array(0);
  readonly requestBytesMax: number;
  readonly contexts: undefined = undefined;
  readonly fault: string = 'a frame came back with another length';
  readonly inOrder: boolean = false;
  requestId: number = 0;
  seconds: number = 0;
  readonly #template: Buffer;
  #size: number = 0;

  constructor(plan: Plan) {
    const bytes = Math.max(...plan.sizes.map((size) => size.bytes)) + ECHO_OVERHEAD_BYTES;
    this.#template = Buffer.alloc(FRAME_HEADER_BYTES + bytes, 0x2e);
    writeFrameHeader(this.#template, 0, PING, 0, bytes);
    this.requestBytesMax = this.#template.length;
  }

  greetingFault(): string {
    return '';
  }

  writeGet(target: Buffer, at: number, requestId: number): number {
    this.#template.copy(target, at);
    target.writeUInt32BE(requestId, at + 8);
    return at + this.#template.length;
  }

  writePut(target: Buffer, at: number, requestId: number): number {
    return this.writeGet(target, at, requestId);
  }

  writeDelete(target: Buffer, at: number, requestId: number): number {
    return this.writeGet(target, at, requestId);
  }

  parse(bytes: Buffer, start: number, end: number): number {
    if (end - start < FRAME_HEADER_BYTES) return 0;
    const size = FRAME_HEADER_BYTES + readU32(bytes, start);
    if (end - start < size) return 0;
    this.#size = size;
    this.requestId = readU32(bytes, start + 8);
    return size;
  }

  judgeGet(): string {
    return this.#size === this.#template.length ? OK : MISMATCH;
  }

  judgeWrite(): string {
    return this.judgeGet();
  }
}
