// What nothing imports and nothing starts. Entries are the sources of what is started, not their compiled forms.
export default {
  entry: [
    'src/cli/{partita,partitad,demo}.ts',
    'src/cli/commands/*.ts',
    'src/workers/tasks.ts',
    'src/daemon/walk-files.ts',
    'bench/*.ts',
    'bench/load/worker*.ts',
    'test/**/*.test.ts',
    'test/prove/*.ts',
    'test/sim/{run,mutants}.ts',
    'test/**/write-*.ts',
    'test/fixtures/make-*.ts',
    'test/support/*.ts',
    'scripts/*.cjs',
    'bin/*.cjs',
  ],
  project: ['src/**/*.ts', 'bench/**/*.ts', 'test/**/*.ts', 'scripts/*.cjs'],
  // Contracts are exported whole, though one side may not name every type of them.
  // Binaries are the system's (mount, gcc, mdb_stat): whoever needs one skips with a reason where it is missing.
  rules: { types: 'off', enumMembers: 'off', binaries: 'off' },
  ignoreExportsUsedInFile: true,
  ignoreDependencies: ['dependency-cruiser', 'pino-pretty'],
};
