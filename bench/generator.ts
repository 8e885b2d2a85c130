/*
 * The load generator as a process of its own, for the benches and proofs: it can be pinned to a core, and its CPU is
 * nobody else's. Each line on stdin is a plan (bench/load/plan.ts) as JSON, its missing fields by default; each line on
 * stdout is what became of it, `{"result": …}` or `{"error": "…"}`. One process for many runs: it then still knows the
 * contexts of what it wrote.
 *
 *     echo '{"server":"127.0.0.1:7700","durationMs":2000}' | taskset -c 1 node dist/bench/generator.js
 */
import { createInterface } from 'node:readline';
import type { ContextMemory } from './load/contexts.js';
import { PLAN_DEFAULTS } from './load/plan.js';
import type { Plan } from './load/plan.js';
import { runPlan } from './load/run.js';

const memory: ContextMemory = new Map();

for await (const line of createInterface({ input: process.stdin })) {
  try {
    const plan: Plan = { ...PLAN_DEFAULTS, ...(JSON.parse(line) as Partial<Plan>) };
    const { result } = await runPlan(plan, { memory });
    console.log(JSON.stringify({ result }));
  } catch (error) {
    console.log(JSON.stringify({ error: error instanceof Error ? error.message : String(error) }));
  }
}
