/*
 * prom-client behind env.Meter. Labels are bound when a metric is asked for, which happens at start-up; what comes back
 * is a bound child, so counting costs an addition and makes no object.
 *
 * Asking twice for one name and the same labels gives the same series: parts that share a metric need not know each
 * other. The label names of a metric are those of its first asker, and must not differ later.
 */
import {
  collectDefaultMetrics,
  Counter as PromCounter,
  Gauge as PromGauge,
  Histogram as PromHistogram,
  Registry,
} from 'prom-client';
import type { Counter, Gauge, Histogram, Labels, Meter } from '../env/meter.js';
import { assert } from '../lib/assert.js';

export interface PrometheusMeterOptions {
  /** Node's own: event-loop lag, garbage collection, resident memory. They cost a PerformanceObserver. */
  readonly nodeMetrics?: boolean;
}

export class PrometheusMeter implements Meter {
  readonly #registry: Registry = new Registry();
  readonly #labelNames: Map<string, string> = new Map();

  constructor({ nodeMetrics = false }: PrometheusMeterOptions = {}) {
    if (nodeMetrics) collectDefaultMetrics({ register: this.#registry, prefix: 'partita_' });
  }

  counter(name: string, help: string, labels: Labels = {}): Counter {
    const make = (): PromCounter =>
      new PromCounter({ name, help, labelNames: Object.keys(labels), registers: [this.#registry] });
    const child = this.#family(PromCounter, name, labels, make).labels(labels);
    return {
      add: (amount) => {
        child.inc(amount);
      },
    };
  }

  gauge(name: string, help: string, labels: Labels = {}): Gauge {
    const make = (): PromGauge =>
      new PromGauge({ name, help, labelNames: Object.keys(labels), registers: [this.#registry] });
    const child = this.#family(PromGauge, name, labels, make).labels(labels);
    return {
      set: (value) => {
        child.set(value);
      },
    };
  }

  histogram(name: string, help: string, buckets: readonly number[], labels: Labels = {}): Histogram {
    const make = (): PromHistogram =>
      new PromHistogram({
        name,
        help,
        buckets: [...buckets],
        labelNames: Object.keys(labels),
        registers: [this.#registry],
      });
    const child = this.#family(PromHistogram, name, labels, make).labels(labels);
    return {
      observe: (value) => {
        child.observe(value);
      },
    };
  }

  /** Everything in Prometheus' text format 0.0.4. */
  text(): Promise<string> {
    return this.#registry.metrics();
  }

  get contentType(): string {
    return this.#registry.contentType;
  }

  #family<T extends object>(kind: new (...parameters: never[]) => T, name: string, labels: Labels, make: () => T): T {
    assert(name.startsWith('partita_'), `a metric's name starts with partita_, unlike ${name}`);
    const labelNames = Object.keys(labels).sort().join(',');
    const known = this.#labelNames.get(name);
    if (known === undefined) {
      this.#labelNames.set(name, labelNames);
      return make();
    }
    assert(known === labelNames, `${name} has the labels (${known}), not (${labelNames})`);
    const family: unknown = this.#registry.getSingleMetric(name);
    assert(family instanceof kind, `${name} is of one kind only`);
    return family;
  }
}
