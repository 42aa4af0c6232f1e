import { z } from "zod";

const schema = z.object({
  classes: z.array(
    z.object({
      name: z.string(),
      methods: z.array(
        z.object({
          path: z.string(),
          stream: z.enum([
            "unary",
            "server_streaming",
            "client_streaming",
            "bidi_streaming",
          ]),
        }),
      ),
    }),
  ),
});

/** The rate classes that the contracts name and the edge lets in, with their methods; `gen/edge/rate-classes.json`. */
export type RateClasses = z.infer<typeof schema>["classes"];

/** @throws Error where the text is something else. */
export function parseRateClasses(text: string): RateClasses {
  return schema.parse(JSON.parse(text)).classes;
}
