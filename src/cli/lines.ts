/* Lines of UTF-8 out of chunks of bytes, none longer than allowed: a file without a line break must not fill the memory. */

export class LineTooLong {}

const LINE_FEED = 0x0a;

/** Without their line breaks; a last line needs none. One that is too long comes as `LineTooLong`, in its place. */
export async function* linesOf(
  input: AsyncIterable<Uint8Array>,
  lineBytesMax: number,
): AsyncGenerator<string | LineTooLong> {
  let parts: Uint8Array[] = [];
  let bytes = 0;
  const end = (): string | LineTooLong => {
    const line = bytes > lineBytesMax ? new LineTooLong() : Buffer.concat(parts).toString('utf8').replace(/\r$/, '');
    parts = [];
    bytes = 0;
    return line;
  };
  for await (const chunk of input) {
    let from = 0;
    for (let at = chunk.indexOf(LINE_FEED); at >= 0; at = chunk.indexOf(LINE_FEED, from)) {
      bytes += at - from;
      if (bytes <= lineBytesMax) parts.push(chunk.subarray(from, at));
      yield end();
      from = at + 1;
    }
    bytes += chunk.length - from;
    if (bytes > lineBytesMax) parts = [];
    else if (from < chunk.length) parts.push(chunk.subarray(from));
  }
  if (bytes > 0) yield end();
}
