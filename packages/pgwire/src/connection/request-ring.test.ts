import fc from "fast-check";
import { expect, test } from "vitest";
import { RawUnit } from "../requests/raw-unit.ts";
import { RequestRing } from "./request-ring.ts";

const receiver = { span: () => true, settle: () => undefined };
const newRequest = (): RawUnit => new RawUnit({ bytes: Buffer.alloc(1), receiver });

test("it does what an array does, whatever is done to it", () => {
  const anyStep = fc.oneof(
    { weight: 3, arbitrary: fc.constant({ type: "push" } as const) },
    { weight: 2, arbitrary: fc.constant({ type: "shift" } as const) },
    { weight: 1, arbitrary: fc.nat(20).map((index) => ({ type: "remove", index }) as const) },
  );
  fc.assert(
    fc.property(fc.array(anyStep, { maxLength: 100 }), (steps) => {
      const ring = new RequestRing();
      const model: RawUnit[] = [];
      for (const step of steps) {
        if (step.type === "push") {
          const request = newRequest();
          ring.push(request);
          model.push(request);
        } else if (step.type === "shift") {
          expect(ring.shift()).toBe(model.shift());
        } else if (step.index < model.length) {
          ring.remove(step.index);
          model.splice(step.index, 1);
        }
        expect(ring.length).toBe(model.length);
        for (let index = 0; index <= model.length; index += 1) {
          expect(ring.at(index)).toBe(model[index]);
        }
        for (const [index, request] of model.entries()) {
          expect([ring.indexOf(request), ring.indexOf(request, index + 1)]).toEqual([index, -1]);
        }
      }
    }),
  );
});
