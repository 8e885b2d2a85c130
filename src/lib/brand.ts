declare const brand: unique symbol;

/** A T that is not to be mixed up with other Ts; costs nothing at run time. */
export type Brand<T, Name extends string> = T & { readonly [brand]: Name };
