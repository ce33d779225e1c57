/** A module that can import the package with the programs of this machine's platform. */
export const binariesModule: string = import.meta.url;
