const ROUNDS = 400;
const DOCUMENT = Array.from({ length: 100 }, (_, id) => ({
  id,
  name: `row ${id}`,
  tags: ["a", "b"],
}));

/**
 * CPU in µs that a piece of work of always the same size takes now. It takes longer where others keep
 * the caches and the cores busy, and so does the work of the program.
 */
export function referenceUs(): number {
  const before = process.cpuUsage();
  for (let round = 0; round < ROUNDS; round += 1) {
    JSON.parse(JSON.stringify(DOCUMENT));
  }
  const { user, system } = process.cpuUsage(before);
  return user + system;
}
