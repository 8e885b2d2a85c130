import tseslint from 'typescript-eslint';

const pure =
  'src/{lib,model,env,versioning,ring,coordinator,repair,membership,transfer,archive,background,balance,wire,storage,node}/**/*.ts';

const everywhere = [
  { selector: 'ExportDefaultDeclaration', message: 'Named exports only.' },
  { selector: 'TSEnumDeclaration', message: 'A union of literals, or an object `as const`.' },
];

export default tseslint.config(
  { ignores: ['dist', 'coverage', 'src/wire/generated', '*.js', 'scripts', 'bin', '.dependency-cruiser.js'] },
  {
    files: ['**/*.ts'],
    extends: [tseslint.configs.recommendedTypeChecked],
    languageOptions: { parserOptions: { projectService: true } },
    rules: {
      '@typescript-eslint/switch-exhaustiveness-check': ['error', { considerDefaultExhaustiveForUnions: true }],
      '@typescript-eslint/restrict-template-expressions': 'off',
      '@typescript-eslint/no-non-null-assertion': 'error',
      '@typescript-eslint/consistent-type-imports': 'error',
      'no-restricted-syntax': ['error', ...everywhere],
      'max-lines-per-function': ['error', { max: 70, skipComments: true, skipBlankLines: true }],
      'max-lines': ['error', { max: 400 }],
    },
  },
  {
    // Types of somebody else's package say what that package exports.
    files: ['**/*.d.ts'],
    rules: { 'no-restricted-syntax': 'off' },
  },
  {
    // AVA's t.throwsAsync may float and its t may be taken apart; a table of cases may be as long as it likes.
    files: ['test/**/*.ts'],
    rules: {
      '@typescript-eslint/no-floating-promises': 'off',
      '@typescript-eslint/unbound-method': 'off',
      'max-lines-per-function': 'off',
    },
  },
  {
    // The same seed must give the same run: pure parts are told the time and handed their randomness.
    files: [pure],
    rules: {
      'no-restricted-globals': [
        'error',
        ...[
          'setTimeout',
          'setInterval',
          'setImmediate',
          'queueMicrotask',
          'process',
          'performance',
          'crypto',
          'Promise',
        ],
        ...['WeakRef', 'FinalizationRegistry', 'AbortSignal', 'AbortController', 'fetch'],
      ],
      'no-restricted-syntax': [
        'error',
        ...everywhere,
        {
          selector: 'MemberExpression[object.name="Date"][property.name="now"]',
          message: 'Take nowMs as an argument.',
        },
        { selector: 'NewExpression[callee.name="Date"]', message: 'Take nowMs as an argument.' },
        { selector: 'MemberExpression[object.name="Math"][property.name="random"]', message: 'Take a prng.' },
        { selector: ':function[async=true]', message: 'If it awaits, it is not pure: return an effect.' },
      ],
    },
  },
);
