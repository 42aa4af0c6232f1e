/** Reads one header of a request. */
export type HeaderReader = (name: string) => string | undefined;
