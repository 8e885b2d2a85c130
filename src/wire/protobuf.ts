/* The generated code, loaded after protobufjs was told to use plain numbers; the order of these two lines matters. */
export { Reader } from './numbers.js';
export { partita } from './generated/partita.js';
