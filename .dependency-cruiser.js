// Rows from the bottom up: a folder may import itself and lower rows, never sideways, never up.
const rows = [
  ['lib'],
  ['model'],
  ['env'],
  ['versioning', 'ring'],
  ['coordinator', 'repair', 'membership', 'transfer', 'archive', 'background', 'balance', 'wire'],
  ['storage'],
  ['node'],
  ['net', 'disk', 'metrics'],
  ['client', 'workers'],
  ['daemon'],
  ['cli'],
];
const pure = rows.slice(0, 7).flat().join('|');

const importsPointDown = rows.flatMap((row, height) =>
  row.map((folder) => ({
    name: `${folder}-imports-point-down`,
    severity: 'error',
    from: { path: `^src/${folder}/` },
    to: {
      path: folder === 'cli' ? '^src/' : '^(src|bench)/', // the command line runs bench/load
      pathNot: [folder, ...rows.slice(0, height).flat()].map((below) => `^src/${below}/`),
    },
  })),
);

const onlyFrom = (folders, target) => ({
  name: `${target.replaceAll('/', '-')}-only-in-${folders.join('-')}`,
  severity: 'error',
  from: { path: '^src/', pathNot: folders.map((folder) => `^src/${folder}/`) },
  to: { path: `(^|node_modules/)${target}($|/)` },
});

export default {
  forbidden: [
    { name: 'no-cycles', severity: 'error', from: {}, to: { circular: true } },
    { name: 'resolvable', severity: 'error', from: {}, to: { couldNotResolve: true, pathNot: '^unix-dgram$' } },
    {
      name: 'pure-does-no-io',
      severity: 'error',
      from: { path: `^src/(${pure})/` },
      to: { dependencyTypes: ['core'] },
    },
    {
      name: 'pure-takes-no-package',
      severity: 'error',
      from: { path: `^src/(${pure})/`, pathNot: '^src/wire/' },
      to: { path: 'node_modules/' },
    },
    {
      name: 'client-knows-no-engine',
      severity: 'error',
      from: { path: '^src/client/' },
      to: {
        path: '^src/(node|storage|disk|metrics|coordinator|repair|membership|transfer|archive|background|balance|versioning|workers)/',
      },
    },
    {
      name: 'client-has-two-packages',
      severity: 'error',
      from: { path: '^src/client/' },
      to: { path: 'node_modules/', pathNot: 'node_modules/(protobufjs|xxhash-wasm|@types/node)/' },
    },
    { name: 'src-knows-no-test', severity: 'error', from: { path: '^src/' }, to: { path: '^test/' } },
    {
      name: 'only-cli-knows-bench',
      severity: 'error',
      from: { path: '^src/', pathNot: '^src/cli/' },
      to: { path: '^bench/' },
    },
    {
      name: 'bench-knows-no-cli-and-no-test',
      severity: 'error',
      from: { path: '^bench/' },
      to: { path: '^(src/cli|test)/' },
    },
    // Worker tasks read files through disk/, so the binding has one home.
    onlyFrom(['disk'], 'node-lmdb'),
    onlyFrom(['workers'], 'piscina'),
    onlyFrom(['wire'], 'protobufjs'),
    onlyFrom(['net'], 'net'),
    onlyFrom(['net'], 'tls'),
    onlyFrom(['metrics'], 'prom-client'),
    // net/ takes away the unix socket that a killed daemon left behind; nothing else of it touches files.
    onlyFrom(['disk', 'net', 'cli', 'daemon'], 'fs'),
    ...importsPointDown,
  ],
  options: {
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    doNotFollow: { path: 'node_modules' },
  },
};
