/* `host:port`, `[ipv6]:port` or `unix:/path`, as they stand in configurations and on command lines. */
export type Address =
  | { readonly kind: 'tcp'; readonly host: string; readonly port: number }
  | { readonly kind: 'unix'; readonly path: string };

/** sun_path has 108 bytes with its final zero; a longer one is cut off silently by some systems. */
const UNIX_PATH_BYTES_MAX = 107;

/** Throws a RangeError that says what is expected. */
export function parseAddress(text: string): Address {
  if (text.startsWith('unix:')) {
    const path = text.slice('unix:'.length);
    if (!path.startsWith('/')) throw new RangeError(`${text}: the path of a unix socket begins with /`);
    const bytes = Buffer.byteLength(path);
    if (bytes > UNIX_PATH_BYTES_MAX) {
      throw new RangeError(`${text}: the path has ${bytes} bytes, a unix socket takes ${UNIX_PATH_BYTES_MAX}`);
    }
    return { kind: 'unix', path };
  }
  const parts = /^(?:\[([0-9a-fA-F:.%\w]+)\]|([^:[\]]+)):(\d{1,5})$/.exec(text);
  const host = parts?.[1] ?? parts?.[2];
  const port = Number(parts?.[3]);
  if (host === undefined || port > 65_535) {
    throw new RangeError(`${text || 'An empty address'} is not host:port, [ipv6]:port or unix:/path`);
  }
  return { kind: 'tcp', host, port };
}

export function formatTcp(host: string, port: number): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}
