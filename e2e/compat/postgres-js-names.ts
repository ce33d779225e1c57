/** What postgres.js' tests call their database, and the role that owns it. */
export const POSTGRES_JS = { database: "postgres_js_test", owner: "postgres_js_test" } as const;
