// Compiled files only: worker entries resolve nowhere else. Processes, not threads: a native crash must name its file.
export default {
  files: ['dist/test/**/*.test.js'],
  workerThreads: false,
  concurrency: 2,
  timeout: '120s',
  failFast: false,
  environmentVariables: { NODE_ENV: 'test' },
  nodeArguments: ['--enable-source-maps'],
};
