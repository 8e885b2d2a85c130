/** The known name that a misspelt one probably meant, or undefined if none is near. */
export function suggestion(misspelt: string, known: readonly string[]): string | undefined {
  // A whole path first; then the last word alone, for a key that slipped out of its table (`lisen` at the top).
  return nearest(misspelt, known, (name) => name) ?? nearest(lastWord(misspelt), known, lastWord);
}

function lastWord(path: string): string {
  return path.split('.').at(-1) ?? path;
}

function nearest(misspelt: string, known: readonly string[], part: (name: string) => string): string | undefined {
  let best: string | undefined;
  let bestDistance = Math.max(1, Math.floor(misspelt.length / 3)) + 1;
  for (const name of known) {
    const distance = editDistance(misspelt.toLowerCase(), part(name).toLowerCase());
    if (distance < bestDistance) [best, bestDistance] = [name, distance];
  }
  return best;
}

/** Insertions, deletions, replacements (Levenshtein); one row at a time. */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const replaced = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(replaced, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}
