/* JSON that came from a file, taken field by field: it is what it should be, or a fault says what is not. */

/** Thrown and caught where a whole text is read. */
export class FieldFault extends Error {}

export class Fields {
  readonly #value: Readonly<Record<string, unknown>>;
  readonly #where: string;

  private constructor(value: Readonly<Record<string, unknown>>, where: string) {
    this.#value = value;
    this.#where = where;
  }

  static of(value: unknown, where: string): Fields {
    if (typeof value !== 'object' || value === null || Array.isArray(value))
      throw new FieldFault(`${where}: no object`);
    return new Fields(value as Readonly<Record<string, unknown>>, where);
  }

  text(name: string): string {
    const value = this.#value[name];
    return typeof value === 'string' ? value : this.#fault(name, 'text');
  }

  /** 0 ≤ n < 2^53. */
  count(name: string): number {
    const value = this.#value[name];
    return isCount(value) ? value : this.#fault(name, 'a number that counts');
  }

  truth(name: string): boolean {
    const value = this.#value[name];
    return typeof value === 'boolean' ? value : this.#fault(name, 'true or false');
  }

  hex(name: string, digits: number): string {
    const value = this.text(name);
    return value.length === digits && /^[0-9a-f]*$/.test(value) ? value : this.#fault(name, `${digits} hex digits`);
  }

  counts(name: string): readonly number[] {
    const value = this.#value[name];
    return Array.isArray(value) && value.every(isCount) ? value : this.#fault(name, 'a list of numbers');
  }

  list<T>(name: string, read: (fields: Fields) => T): readonly T[] {
    const value = this.#value[name];
    if (!Array.isArray(value)) return this.#fault(name, 'a list');
    return value.map((item, i) => read(Fields.of(item, `${this.#where}.${name}[${i}]`)));
  }

  maybe<T>(name: string, read: (fields: Fields) => T): T | null {
    const value = this.#value[name];
    return value === null ? null : read(Fields.of(value, `${this.#where}.${name}`));
  }

  #fault(name: string, expected: string): never {
    throw new FieldFault(`${this.#where}.${name} is not ${expected}`);
  }
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}
