// What nothing imports and nothing starts. Entries are the sources of what is started, not their compiled forms.
export default {
  entry: [
    'src/client/index.ts',
    'src/cli/{partita,partitad,demo}.ts',
    'src/cli/commands/*.ts',
    'src/workers/tasks/*.ts',
    'bench/*.ts',
    'bench/load/worker*.ts',
    'test/**/*.test.ts',
    'test/prove/*.ts',
    'test/support/*.ts',
    'scripts/*.cjs',
    'bin/*.cjs',
  ],
  project: ['src/**/*.ts', 'bench/**/*.ts', 'test/**/*.ts', 'scripts/*.cjs'],
  ignore: ['src/wire/generated/**'],
  // Contracts are exported whole, though one side may not name every type of them.
  rules: { types: 'off', enumMembers: 'off' },
  ignoreExportsUsedInFile: true,
  ignoreDependencies: ['@types/cli-progress', 'dependency-cruiser', 'fast-check', 'pino-pretty'],
  ignoreBinaries: ['systemd-notify', 'unshare', 'systemd-analyze'],
};
