/*
 * The load generator as a process of its own, for the benches and proofs: a plan (bench/load/plan.ts) as JSON in the
 * first argument, its missing fields by default; the result as one line of JSON on stdout. A process of its own can be
 * pinned to a core, and its CPU is nobody else's.
 *
 *     taskset -c 1 node dist/bench/generator.js '{"server":"127.0.0.1:7700","durationMs":2000}'
 */
import { PLAN_DEFAULTS } from './load/plan.js';
import type { Plan } from './load/plan.js';
import { runPlan } from './load/run.js';

const plan: Plan = { ...PLAN_DEFAULTS, ...(JSON.parse(process.argv[2] ?? '{}') as Partial<Plan>) };
try {
  const { result } = await runPlan(plan);
  console.log(JSON.stringify(result));
} catch (error) {
  console.error(error instanceof Error ? error.message : String(error));
  process.exitCode = 1;
}
