/** The donor's side of a frame, over a session that keeps what is said. */
import { copyBytes } from '../../src/lib/bytes.js';
import type { Failure } from '../../src/model/errors.js';
import { FRAME_HEADER_BYTES } from '../../src/model/limits.js';
import type { TransferServer } from '../../src/node/cluster/transfer-server.js';
import { Incoming } from '../../src/node/incoming.js';
import type { Session } from '../../src/node/session.js';
import { decodeError } from '../../src/wire/codec-connection.js';
import { ERROR } from '../../src/wire/kinds.js';

const KIND_AT = 4;

/** `answered` is told the body of the answer, or the refusal. */
export function serveTransfer(
  server: Pick<TransferServer, 'serve'>,
  kind: number,
  body: Uint8Array,
  answered: (body: Uint8Array, refusal: Failure | null) => void,
): void {
  const frame = new Incoming();
  frame.kind = kind;
  frame.bytes = body;
  frame.end = body.length;
  const connection = {
    output: new Uint8Array(0),
    claim: (size: number): number => {
      connection.output = new Uint8Array(size);
      return 0;
    },
  };
  const session = {
    closed: false,
    connection,
    refuse: (_requestId: number, refusal: Failure): void => {
      throw new Error(refusal.text);
    },
    finish: (): void => {
      const { output } = connection;
      if (output[KIND_AT] !== ERROR) return answered(copyBytes(output, FRAME_HEADER_BYTES), null);
      const error = decodeError(output, FRAME_HEADER_BYTES, output.length);
      if (typeof error === 'string') throw new Error(error);
      answered(new Uint8Array(0), error);
    },
  };
  if (!server.serve(session as unknown as Session, frame)) throw new Error(`Kind ${kind} is none`);
}
