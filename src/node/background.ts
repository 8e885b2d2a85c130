/*
 * The background of one node, put together: the controller that everybody's slices come from, and the scrubber. Where
 * nothing was said of targets (tests, tools) slices are free, and nothing is scrubbed.
 */
import { Controller, type ControllerStatus } from '../background/controller.js';
import type { Latency, RateBounds, Targets } from '../background/rate-law.js';
import { FreeSlices, type Slices } from '../background/slices.js';
import type { Timers } from '../env/clock.js';
import type { Meter } from '../env/meter.js';
import type { LatencyWindow } from '../lib/latency-window.js';
import type { ScrubStorage } from '../storage/scrub-storage.js';
import { type DamageRepair, Scrubber, type ScrubStatus } from './scrubber.js';
import type { Services } from './services.js';

export interface BackgroundOptions {
  readonly targets: Targets;
  readonly bounds: RateBounds;
  /** p99 of the event loop's delay since this was asked last. */
  readonly loopDelayMs: () => number;
  readonly scrub: ScrubOptions;
}

export interface ScrubOptions {
  /** Of the same store as the records. */
  readonly store: ScrubStorage;
  readonly periodMs: number;
  readonly bytesPerSecondMax: number;
  readonly verifySoon: boolean;
}

interface World {
  readonly timers: Timers;
  readonly meter: Meter;
  readonly ordinal: number;
}

export class Background {
  readonly slices: Slices;
  readonly #services: Services;
  readonly #world: World;
  readonly #options: BackgroundOptions | null;
  readonly #controller: Controller | null;
  #scrubber: Scrubber | null = null;

  constructor(services: Services, world: World, options: BackgroundOptions | null) {
    this.#services = services;
    this.#world = world;
    this.#options = options;
    this.#controller = options === null ? null : controllerOf(services, world, options);
    this.slices = this.#controller ?? new FreeSlices(world.timers);
  }

  /** `repair`: null where there are no other replicas. */
  start(repair: DamageRepair | null): void {
    if (this.#options === null) return;
    const { clock, log } = this.#services;
    const { slices } = this;
    this.#scrubber = new Scrubber({ ...this.#world, ...this.#options.scrub, slices, clock, log, repair });
    this.#scrubber.start();
  }

  stop(): void {
    this.#scrubber?.stop();
    this.#controller?.stop();
  }

  /** Null: slices are free here. */
  status(): ControllerStatus | null {
    return this.#controller?.status() ?? null;
  }

  scrubStatus(): ScrubStatus | null {
    return this.#scrubber?.status() ?? null;
  }

  /** null: all of them. */
  scrub(partition: number | null): void {
    if (partition === null) this.#scrubber?.scrubAll();
    else this.#scrubber?.scrubOne(partition);
  }
}

function controllerOf(services: Services, { timers, meter }: World, options: BackgroundOptions): Controller {
  const { clock, storage, latencies } = services;
  const { targets, bounds, loopDelayMs } = options;
  return new Controller({
    clock,
    timers,
    meter,
    targets,
    bounds,
    foreground: () => {
      const nowMs = clock.monotonicMs();
      return {
        gets: latencyOf(latencies.gets, nowMs),
        puts: latencyOf(latencies.puts, nowMs),
        loopDelayMs: loopDelayMs(),
        syncMs: storage.status().syncP99Ms,
      };
    },
  });
}

function latencyOf(window: LatencyWindow, nowMs: number): Latency {
  return { minuteMs: window.minuteMs(nowMs), latelyMs: window.latelyMs(nowMs), secondMs: window.lookMs() };
}
