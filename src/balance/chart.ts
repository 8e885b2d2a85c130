/*
 * Plots as SVG text: panels one below the other, each with lines or bars over one pair of axes. Enough for a report and
 * for the figures of the paper, and no more: no styles from elsewhere, no scripts, so that a browser, a document or a
 * viewer of images shows the same. Dark grey on white; colours that also the colour-blind can tell apart, and in a legend
 * in the order of the lines.
 */

export interface Tick {
  readonly at: number;
  readonly text: string;
}

export interface Axis {
  readonly label: string;
  readonly min: number;
  readonly max: number;
  readonly ticks: readonly Tick[];
  /** Equal factors are equally far apart. */
  readonly isLog?: boolean;
}

export interface Line {
  readonly name: string;
  readonly points: readonly (readonly [x: number, y: number])[];
}

export interface Bar {
  readonly x: number;
  readonly height: number;
  /** It stands out. */
  readonly isMarked: boolean;
}

export interface Panel {
  readonly title: string;
  readonly x: Axis;
  readonly y: Axis;
  readonly lines: readonly Line[];
  readonly bars?: readonly Bar[];
  /** What is between these values is shaded. */
  readonly band?: { readonly from: number; readonly to: number; readonly name: string };
}

const WIDTH = 760;
const PANEL_HEIGHT = 320;
const LEFT = 68;
const RIGHT = 24;
const TOP = 44;
const BOTTOM = 52;
const TITLE_HEIGHT = 34;
const PLOT_WIDTH = WIDTH - LEFT - RIGHT;
const PLOT_HEIGHT = PANEL_HEIGHT - TOP - BOTTOM;
const COLOURS = ['#0072b2', '#d55e00', '#009e73', '#cc79a7', '#e69f00', '#56b4e9'] as const;
const TICKS_WANTED = 5;
/** A line of more points has no dots on them. */
const DOTS_MAX = 60;
const LEGEND_CHARACTER = 6.4;

/** An XML document. */
export function svgOf(title: string, panels: readonly Panel[]): string {
  const height = TITLE_HEIGHT + panels.length * PANEL_HEIGHT;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" font-family="sans-serif" font-size="12" fill="#333">`,
    `<rect width="${WIDTH}" height="${height}" fill="#fff"/>`,
    text(LEFT, 24, title, 'font-size="15" font-weight="bold"'),
    ...panels.flatMap((panel, index) => panelOf(panel, TITLE_HEIGHT + index * PANEL_HEIGHT)),
    '</svg>\n',
  ].join('\n');
}

/** From 0 to a round number that is not below `highest`. */
export function axisFrom0(label: string, highest: number, textOf: (value: number) => string): Axis {
  const top = highest > 0 ? highest : 1;
  const rough = top / TICKS_WANTED;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 2.5, 5, 10].map((factor) => factor * power).find((one) => one >= rough) ?? rough;
  const count = Math.max(1, Math.ceil(top / step - 1e-9));
  const ticks = Array.from({ length: count + 1 }, (_, i) => ({ at: i * step, text: textOf(i * step) }));
  return { label, min: 0, max: count * step, ticks };
}

function panelOf({ title, x, y, lines, bars = [], band }: Panel, top: number): readonly string[] {
  const xAt = (value: number): number => LEFT + PLOT_WIDTH * placeOn(x, value);
  const yAt = (value: number): number => top + TOP + PLOT_HEIGHT * (1 - placeOn(y, value));
  const bottom = top + TOP + PLOT_HEIGHT;
  const barWidth = Math.max(1, Math.min(48, (0.7 * PLOT_WIDTH) / Math.max(bars.length, 1)));
  return [
    text(LEFT, top + 20, title, 'font-weight="bold"'),
    ...(band === undefined
      ? []
      : [box(LEFT, yAt(band.to), PLOT_WIDTH, yAt(band.from) - yAt(band.to), 'fill="#009e73" fill-opacity="0.15"')]),
    ...y.ticks.flatMap(({ at, text: label }) => [
      rule(LEFT, yAt(at), WIDTH - RIGHT, yAt(at), '#ddd'),
      text(LEFT - 6, yAt(at) + 4, label, 'text-anchor="end"'),
    ]),
    ...x.ticks.flatMap(({ at, text: label }) => [
      rule(xAt(at), bottom, xAt(at), bottom + 4, '#333'),
      text(xAt(at), bottom + 18, label, 'text-anchor="middle"'),
    ]),
    ...bars.map(({ x: at, height, isMarked }) => {
      const from = yAt(height);
      return box(xAt(at) - barWidth / 2, from, barWidth, bottom - from, `fill="${COLOURS[isMarked ? 1 : 0]}"`);
    }),
    ...lines.map(({ points }, index) => {
      const path = points.map(([px, py]) => `${round(xAt(px))},${round(yAt(py))}`).join(' ');
      return `<polyline points="${path}" fill="none" stroke="${colour(index)}" stroke-width="2"/>`;
    }),
    ...lines.flatMap(({ points }, index) =>
      (points.length > DOTS_MAX ? [] : points).map(
        ([px, py]) => `<circle cx="${round(xAt(px))}" cy="${round(yAt(py))}" r="2.5" fill="${colour(index)}"/>`,
      ),
    ),
    rule(LEFT, bottom, WIDTH - RIGHT, bottom, '#333'),
    rule(LEFT, top + TOP, LEFT, bottom, '#333'),
    text(LEFT + PLOT_WIDTH / 2, bottom + 38, x.label, 'text-anchor="middle"'),
    text(0, 0, y.label, `text-anchor="middle" transform="translate(16 ${top + TOP + PLOT_HEIGHT / 2}) rotate(-90)"`),
    ...legend([...lines.map(({ name }) => name), ...(band === undefined ? [] : [band.name])], lines.length, top + 36),
  ];
}

/** Names in one line above the plot. */
function legend(names: readonly string[], lineCount: number, y: number): readonly string[] {
  let at = LEFT;
  return names.flatMap((name, index) => {
    const x = at;
    at += 30 + LEGEND_CHARACTER * name.length;
    const mark =
      index < lineCount
        ? `<rect x="${round(x)}" y="${y - 6}" width="14" height="3" fill="${colour(index)}"/>`
        : box(x, y - 10, 14, 10, 'fill="#009e73" fill-opacity="0.15"');
    return [mark, text(x + 19, y, name, '')];
  });
}

function placeOn({ min, max, isLog = false }: Axis, value: number): number {
  const scale = (one: number): number => (isLog ? Math.log(one) : one);
  return max === min ? 0.5 : (scale(value) - scale(min)) / (scale(max) - scale(min));
}

function colour(index: number): string {
  return COLOURS[index % COLOURS.length] ?? '#333';
}

function text(x: number, y: number, content: string, attributes: string): string {
  return `<text x="${round(x)}" y="${round(y)}" ${attributes}>${escaped(content)}</text>`;
}

function rule(x1: number, y1: number, x2: number, y2: number, stroke: string): string {
  return `<line x1="${round(x1)}" y1="${round(y1)}" x2="${round(x2)}" y2="${round(y2)}" stroke="${stroke}"/>`;
}

function box(x: number, y: number, width: number, height: number, attributes: string): string {
  return `<rect x="${round(x)}" y="${round(y)}" width="${round(width)}" height="${round(height)}" ${attributes}/>`;
}

function round(value: number): string {
  return String(Math.round(10 * value) / 10);
}

function escaped(content: string): string {
  return content.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');
}
