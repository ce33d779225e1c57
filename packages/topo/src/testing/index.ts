export { describeOutages, describeStore } from "./describe-store.ts";
export { ManualClock } from "./manual-clock.ts";
export type { OutageFixture, StoreFixture } from "./store-fixture.ts";
