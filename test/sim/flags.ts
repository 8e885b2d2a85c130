/**
 * With what flags a process runs seeds. Much is made and soon forgotten, so collections of what is young are seldom, and as
 * every core has a process of its own no other thread helps with them: helpers mostly wait for each other. Operations fail
 * by the hundred, and each failure would write its stack down: replaying a seed (run.js --seed) shows stacks again. And
 * what is called once is compiled at once, if not well: a process that runs a few seeds spends most of its time warming up.
 */
export const SIM_FLAGS: readonly string[] = [
  '--min-semi-space-size=32',
  '--max-semi-space-size=32',
  '--single-threaded-gc',
  '--stack-trace-limit=0',
  '--always-sparkplug',
];
