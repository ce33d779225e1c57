import fc from "fast-check";
import { expect, test } from "vitest";
import { Line, placeOf } from "./line.ts";
import type { Place } from "./line.ts";

test("a line keeps the order of those who stay when others step out", () => {
  const steps = fc.array(fc.option(fc.nat({ max: 20 })), { maxLength: 60 });
  fc.assert(
    fc.property(steps, (leaves) => {
      const line = new Line<number>();
      let model: { value: number; place: Place<number> }[] = [];
      for (const [value, leave] of leaves.entries()) {
        const leaver = leave === null ? undefined : model[leave];
        if (leaver === undefined) {
          const place = placeOf(value);
          line.enter(place);
          model.push({ value, place });
        } else {
          line.leave(leaver.place);
          line.leave(leaver.place);
          model = model.filter((entry) => entry !== leaver);
        }
        expect([...line]).toEqual(model.map((entry) => entry.value));
        expect([line.length, line.first]).toEqual([model.length, model[0]?.value]);
      }
    }),
  );
});
