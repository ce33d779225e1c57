export { describeOutages, describeStore } from "./describe-store.ts";
export type { OutageFixture, StoreFixture } from "./store-fixture.ts";
