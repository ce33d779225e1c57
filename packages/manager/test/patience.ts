/** How long a test waits for what has no event of its own, on a machine that does much else. */
export const PATIENCE: { readonly timeout: number } = { timeout: 20_000 };
