import type { ConnectionSlot } from "@multipooler/controller-api";
import { ManualClock } from "@multipooler/timing/testing";
import { expect, test } from "vitest";
import { CountingShare } from "../../test/counting-share.ts";
import { settled } from "../../test/settled.ts";
import { UserBudget } from "./user-budget.ts";
import type { UserBudgetOptions } from "./user-budget.ts";
import type { ShareOwner, UserShare } from "./user-share.ts";

/** A user who takes what there is up to the demand, and gives back what is too much. */
class User {
  demand = 0;
  readonly slots: ConnectionSlot[] = [];
  readonly share: UserShare;

  constructor(budget: UserBudget, owner: ShareOwner = { database: "app", user: "app" }) {
    this.share = budget.open(owner, () => ({ current: this.demand, lately: this.demand }));
    this.share.onChange(() => this.adapt());
  }

  adapt(): void {
    while (this.share.used > this.share.limit) {
      this.slots.pop()?.release();
    }
    while (this.slots.length < this.demand) {
      const slot = this.share.tryTake();
      if (slot === undefined) {
        return;
      }
      this.slots.push(slot);
    }
  }

  want(demand: number): void {
    this.demand = demand;
    this.adapt();
  }
}

function setUp(
  capacity: number,
  limit = 100,
  rules: Omit<UserBudgetOptions, "share" | "capacity" | "clock"> = {},
): {
  budget: UserBudget;
  clock: ManualClock;
  share: CountingShare;
  users: (count: number) => User[];
} {
  const clock = new ManualClock();
  const share = new CountingShare(limit);
  const budget = new UserBudget({ share, capacity, clock, ...rules });
  const users = (count: number): User[] => Array.from({ length: count }, () => new User(budget));
  return { budget, clock, share, users };
}

/** Lets everybody take and give back until nobody does any more. */
async function settle(clock: ManualClock): Promise<void> {
  for (let round = 0; round < 5; round += 1) {
    await settled();
    await clock.advance(10);
  }
}

test("one user may have all, as the share says now", () => {
  const { share, users } = setUp(10);
  const [user] = users(1);
  user?.want(20);
  expect(user?.slots).toHaveLength(10);
  share.limit = 4;
  expect(user?.share.limit).toBe(4);
});

test("a second user gets half of what a flood has", async () => {
  const { clock, users } = setUp(10);
  const [flood, other] = users(2);
  flood?.want(100);
  await settle(clock);
  expect(flood?.slots).toHaveLength(10);
  other?.want(100);
  await settle(clock);
  expect([flood?.slots.length, other?.slots.length]).toEqual([5, 5]);
  other?.want(1);
  other?.slots.splice(1).forEach((slot) => slot.release());
  await settle(clock);
  expect([flood?.slots.length, other?.slots.length]).toEqual([9, 1]);
});

test("the share bounds all together", async () => {
  const { clock, share, users } = setUp(10);
  const all = users(2);
  for (const user of all) {
    user.want(5);
  }
  await settle(clock);
  expect(share.used).toBe(10);
  share.limit = 4;
  await settle(clock);
  expect(all.map(({ slots }) => slots.length)).toEqual([2, 2]);
});

test("users who are more than the connections have them in turn", async () => {
  const { clock, users } = setUp(2);
  const all = users(5);
  const served = new Set<User>();
  for (const user of all) {
    user.want(3);
  }
  for (let round = 0; round < 8; round += 1) {
    await clock.advance(250);
    await settle(clock);
    for (const user of all.filter(({ slots }) => slots.length > 0)) {
      served.add(user);
    }
  }
  expect(served.size).toBe(5);
});

test("only the configured role is believed that the server is full", () => {
  const { share, users } = setUp(10);
  const [configured, other] = users(2);
  other?.share.serverIsFull();
  expect(share.fullCount).toBe(0);
  configured?.share.serverIsFull();
  expect(share.fullCount).toBe(1);
});

test("nothing is left after closing", () => {
  const { budget, clock, share, users } = setUp(1);
  for (const user of users(3)) {
    user.want(2);
  }
  budget.close();
  expect(clock.pending).toBe(0);
  expect(share.isWatched).toBe(false);
});

test("a database gets no more than it may, divided among its users", async () => {
  const { budget, clock } = setUp(10, 100, { maxPerDatabase: 4 });
  const [flood, neighbour, elsewhere] = [
    new User(budget, { database: "one", user: "a" }),
    new User(budget, { database: "one", user: "b" }),
    new User(budget, { database: "two", user: "a" }),
  ];
  flood.want(100);
  await settle(clock);
  expect(flood.slots).toHaveLength(4);
  neighbour.want(100);
  elsewhere.want(3);
  await settle(clock);
  expect([flood, neighbour, elsewhere].map(({ slots }) => slots.length)).toEqual([2, 2, 3]);
});

test("a user gets no more than one may in all databases together", async () => {
  const { budget, clock } = setUp(10, 100, { maxPerUser: 3 });
  const users = ["one", "two"].map((database) => new User(budget, { database, user: "a" }));
  const other = new User(budget, { database: "one", user: "b" });
  for (const user of [...users, other]) {
    user.want(100);
  }
  await settle(clock);
  expect(users.reduce((sum, { slots }) => sum + slots.length, 0)).toBe(3);
  expect(users.every(({ slots }) => slots.length > 0)).toBe(true);
  expect(other.slots).toHaveLength(3);
});

test("a limit holds for one who is alone, too", () => {
  const { budget } = setUp(10, 100, { maxPerUser: 3 });
  const user = new User(budget);
  user.want(5);
  expect(user.slots).toHaveLength(3);
});

test("what each user gets at least is kept from a flood, up to an equal part", async () => {
  const { clock, users } = setUp(10, 100, { minPerUser: 4 });
  const [flood, quiet] = users(2);
  flood?.want(100);
  await settle(clock);
  expect(flood?.slots).toHaveLength(6);
  quiet?.want(4);
  expect(quiet?.slots).toHaveLength(4);
  const [third] = users(1);
  third?.want(1);
  await settle(clock);
  quiet?.want(0);
  await settle(clock);
  const limits = [flood, quiet, third].map((user) => user?.share.limit ?? 0);
  expect(limits.toSorted((a, b) => a - b)).toEqual([3, 3, 4]);
});

test("where there are fewer connections than users, nothing is kept for those who need none", async () => {
  const { clock, users } = setUp(2, 100, { minPerUser: 1 });
  const [, , last] = users(3);
  last?.want(2);
  await settle(clock);
  expect(last?.slots).toHaveLength(2);
});

test("those who share one place take turns as often as it is divided", async () => {
  const { clock, users } = setUp(1, 100, { intervalMs: 5000 });
  const all = users(2);
  for (const user of all) {
    user.want(1);
  }
  await settle(clock);
  const holders = (): User[] => all.filter(({ slots }) => slots.length > 0);
  const before = holders();
  expect(before).toHaveLength(1);
  for (let second = 0; second < 4; second += 1) {
    await clock.advance(1000);
    await settle(clock);
    expect(holders()).toEqual(before);
  }
  await clock.advance(1000);
  await settle(clock);
  expect(holders()).toHaveLength(1);
  expect(holders()).not.toEqual(before);
});
