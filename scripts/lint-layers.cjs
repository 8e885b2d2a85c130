// dependency-cruiser says "no violations" when it understood nothing, so what it has seen is counted too.
const { spawnSync } = require('node:child_process');
const { join } = require('node:path');

const MODULES_LEAST = 20;
const root = join(__dirname, '..');
const folders = ['src', 'bench'].filter((folder) => require('node:fs').existsSync(join(root, folder)));
const program = join(root, 'node_modules', '.bin', 'depcruise');
const arguments_ = ['--config', '.dependency-cruiser.js', '--output-type', 'json', ...folders];
const { stdout, stderr, error } = spawnSync(program, arguments_, {
  cwd: root,
  encoding: 'utf8',
  maxBuffer: 256 * 1024 * 1024,
});

function fail(text) {
  console.error(`layers: ${text}`);
  process.exit(1);
}

if (error) fail(`cannot run dependency-cruiser: ${error.message}`);
let report;
try {
  report = JSON.parse(stdout);
} catch {
  fail(`dependency-cruiser printed no report: ${stderr || stdout}`);
}
const { violations, totalDependenciesCruised } = report.summary;
const ours = report.modules.filter(({ source }) => /^(src|bench)\/.*\.ts$/.test(source)).length;
for (const { rule, from, to } of violations) console.error(`${rule.name}: ${from} → ${to}`);
if (ours < MODULES_LEAST)
  fail(`only ${ours} of our modules were seen, at least ${MODULES_LEAST} expected: it checks nothing`);
if (totalDependenciesCruised < ours)
  fail(`${totalDependenciesCruised} imports in ${ours} modules: it cannot read them`);
if (violations.length > 0) fail(`${violations.length} imports do not point down`);
console.log(`layers: ${ours} modules, ${totalDependenciesCruised} imports, all point down`);
