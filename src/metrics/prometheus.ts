/*
 * prom-client behind env.Meter: its registry, its text format, its metrics of Node itself. What is counted on the way of a
 * get or a put is ours: prom-client's own counter costs 0.1 µs and its histogram 0.3, several times a request, and ours an
 * addition into an array. They are turned into prom-client's form when somebody asks.
 *
 * Asking twice for one name and the same labels gives the same series: parts that share a metric need not know each
 * other. The label names of a metric are those of its first asker, and must not differ later.
 */
import { collectDefaultMetrics, Registry } from 'prom-client';
import type { MetricValue } from 'prom-client';
import type { Counter, Gauge, Histogram, Labels, Meter } from '../env/meter.js';
import { assert } from '../lib/assert.js';

export interface PrometheusMeterOptions {
  /** Node's own: event-loop lag, garbage collection, resident memory. They cost a PerformanceObserver. */
  readonly nodeMetrics?: boolean;
}

type Kind = 'counter' | 'gauge' | 'histogram';
type Value = MetricValue<string> & { readonly metricName?: string };

interface Series {
  readonly labels: Labels;
  values(name: string): Value[];
}

class NumberSeries implements Series, Counter, Gauge {
  readonly labels: Labels;
  #value = 0;

  constructor(labels: Labels) {
    this.labels = labels;
  }

  add(amount: number): void {
    this.#value += amount;
  }

  set(value: number): void {
    this.#value = value;
  }

  values(): Value[] {
    return [{ value: this.#value, labels: this.labels }];
  }
}

class HistogramSeries implements Series, Histogram {
  readonly labels: Labels;
  readonly #bounds: Float64Array;
  /** One more than bounds: the last is everything above. */
  readonly #counts: Float64Array;
  #sum = 0;

  constructor(labels: Labels, buckets: readonly number[]) {
    this.labels = labels;
    this.#bounds = Float64Array.from(buckets);
    this.#counts = new Float64Array(buckets.length + 1);
  }

  observe(value: number): void {
    const bounds = this.#bounds;
    let i = 0;
    while (i < bounds.length && value > (bounds[i] as number)) i += 1;
    (this.#counts[i] as number) += 1;
    this.#sum += value;
  }

  values(name: string): Value[] {
    let count = 0;
    const values: Value[] = [];
    for (const [i, inBucket] of this.#counts.entries()) {
      count += inBucket;
      const le = i < this.#bounds.length ? (this.#bounds[i] as number) : '+Inf';
      values.push({ value: count, labels: { ...this.labels, le }, metricName: `${name}_bucket` });
    }
    values.push({ value: this.#sum, labels: this.labels, metricName: `${name}_sum` });
    values.push({ value: count, labels: this.labels, metricName: `${name}_count` });
    return values;
  }
}

/** All series of one name, as prom-client's registry wants a metric to be. */
class Family<S extends Series> {
  readonly name: string;
  readonly labelNames: string;
  readonly kind: Kind;
  readonly #help: string;
  readonly #series: Map<string, S> = new Map();

  constructor(name: string, help: string, kind: Kind, labelNames: string) {
    this.name = name;
    this.#help = help;
    this.kind = kind;
    this.labelNames = labelNames;
  }

  series(labels: Labels, make: () => S): S {
    const id = Object.keys(labels)
      .sort()
      .map((label) => `${label}=${labels[label]}`)
      .join(',');
    let series = this.#series.get(id);
    if (series === undefined) {
      series = make();
      this.#series.set(id, series);
    }
    return series;
  }

  get(): Promise<object> {
    const values = [...this.#series.values()].flatMap((series) => series.values(this.name));
    return Promise.resolve({ name: this.name, help: this.#help, type: this.kind, aggregator: 'sum', values });
  }
}

export class PrometheusMeter implements Meter {
  readonly #registry: Registry = new Registry();
  readonly #families: Map<string, Family<NumberSeries> | Family<HistogramSeries>> = new Map();

  constructor({ nodeMetrics = false }: PrometheusMeterOptions = {}) {
    if (nodeMetrics) collectDefaultMetrics({ register: this.#registry, prefix: 'partita_' });
  }

  counter(name: string, help: string, labels: Labels = {}): Counter {
    return this.#family<NumberSeries>('counter', name, help, labels).series(labels, () => new NumberSeries(labels));
  }

  gauge(name: string, help: string, labels: Labels = {}): Gauge {
    return this.#family<NumberSeries>('gauge', name, help, labels).series(labels, () => new NumberSeries(labels));
  }

  histogram(name: string, help: string, buckets: readonly number[], labels: Labels = {}): Histogram {
    return this.#family<HistogramSeries>('histogram', name, help, labels).series(
      labels,
      () => new HistogramSeries(labels, buckets),
    );
  }

  /** Everything in Prometheus' text format 0.0.4. */
  text(): Promise<string> {
    return this.#registry.metrics();
  }

  get contentType(): string {
    return this.#registry.contentType;
  }

  #family<S extends NumberSeries | HistogramSeries>(kind: Kind, name: string, help: string, labels: Labels): Family<S> {
    assert(name.startsWith('partita_'), `a metric's name starts with partita_, unlike ${name}`);
    const labelNames = Object.keys(labels).sort().join(',');
    let family = this.#families.get(name) as Family<S> | undefined;
    if (family === undefined) {
      family = new Family<S>(name, help, kind, labelNames);
      this.#families.set(name, family as unknown as Family<NumberSeries>);
      this.#registry.registerMetric(family as unknown as Parameters<Registry['registerMetric']>[0]);
    }
    assert(family.labelNames === labelNames, `${name} has the labels (${family.labelNames}), not (${labelNames})`);
    assert(family.kind === kind, `${name} is of one kind only`);
    return family;
  }
}
