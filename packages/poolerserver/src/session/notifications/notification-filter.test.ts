import { encodeReadyForQuery } from "@multipooler/pgwire";
import { encodeCommandTag, encodeNotification } from "@multipooler/query-service";
import fc from "fast-check";
import { expect, test } from "vitest";
import { NotificationFilter } from "./notification-filter.ts";

const message = fc.oneof(
  fc.record({
    channel: fc.constantFrom("heard", "Gehört", "own"),
    payload: fc.string(),
    processId: fc.constant(7),
  }),
  fc.constant(undefined),
);

test("notifications of its channels are left out, however the messages are cut", () => {
  const isLeftOut = (channel: string): boolean => channel !== "own";
  const property = fc.property(
    fc.array(message, { maxLength: 8 }),
    fc.array(fc.integer({ min: 1, max: 20 }), { minLength: 1 }),
    (messages, sizes) => {
      const filter = new NotificationFilter(isLeftOut);
      const sent: Uint8Array[] = [];
      const wanted: Uint8Array[] = [];
      for (const notification of messages) {
        const bytes =
          notification === undefined
            ? Buffer.concat([encodeCommandTag("SELECT 1"), encodeReadyForQuery("I")])
            : encodeNotification(notification);
        sent.push(bytes);
        if (notification === undefined || !isLeftOut(notification.channel)) {
          wanted.push(bytes);
        }
      }
      const all = Buffer.concat(sent);
      const passed: Uint8Array[] = [];
      for (let at = 0, piece = 0; at < all.length; piece += 1) {
        const end = at + (sizes[piece % sizes.length] ?? 1);
        passed.push(Buffer.from(filter.pass(all.subarray(at, end))));
        at = end;
      }
      expect(Buffer.concat(passed)).toEqual(Buffer.concat(wanted));
    },
  );
  fc.assert(property);
});

test("a notification without an end of its channel is passed on as it is", () => {
  const damaged = Buffer.from([0x41, 0, 0, 0, 10, 0, 0, 0, 7, 0x61, 0x62]);
  expect(new NotificationFilter(() => true).pass(damaged)).toEqual(damaged);
});
