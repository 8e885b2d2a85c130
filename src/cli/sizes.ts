const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB'] as const;

/** For people: `1.5 MiB`. */
export function bytesText(bytes: number): string {
  let unit = 0;
  let value = bytes;
  for (; value >= 1_024 && unit < UNITS.length - 1; unit++) value /= 1_024;
  const digits = unit === 0 || value >= 100 || Number.isInteger(value) ? 0 : 1;
  return `${value.toFixed(digits)} ${UNITS[unit] ?? ''}`;
}
