import {
  createFileRegistry,
  fromBinary,
  type DescField,
  type DescMessage,
} from "@bufbuild/protobuf";
import { FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { hasOwnJson } from "./own-json.ts";
import type { RouteTable } from "./route-table.ts";

/** A field as a body may have it: the number that both of its names share, and what its value is made of. */
// No interface: those are never tables of just anything to TypeScript.
type FieldShape = {
  readonly key: number;
  /** The message whose fields its value has. None for a scalar, and for what has a JSON of its own. */
  readonly message?: string;
  readonly map?: true;
};

type MessageShape = Readonly<Record<string, FieldShape>>;

/** The messages that REST bodies hold, by name, each with its fields by JSON and by proto name. */
export type BodyShapes = Readonly<Record<string, MessageShape>>;

/** What may be in the bodies of REST calls. */
export function bodyShapes(
  { services }: RouteTable,
  descriptorSet: Uint8Array,
): BodyShapes {
  const registry = createFileRegistry(
    fromBinary(FileDescriptorSetSchema, descriptorSet),
  );
  const shapes: Record<string, MessageShape> = {};
  const add = (message: DescMessage | undefined) => {
    if (message === undefined || shapes[message.typeName] !== undefined) return;
    shapes[message.typeName] = Object.fromEntries(
      message.fields.flatMap(namesOf),
    );
    message.fields.map(innerMessage).forEach(add);
  };
  services
    .flatMap(({ methods }) => methods.flatMap(({ rest }) => rest))
    .forEach(({ bodyType }) => bodyType && add(registry.getMessage(bodyType)));
  return shapes;
}

function namesOf(field: DescField): [string, FieldShape][] {
  const inner = innerMessage(field);
  const shape = {
    key: field.number,
    ...(inner === undefined ? {} : { message: inner.typeName }),
    ...(field.fieldKind === "map" ? { map: true as const } : {}),
  };
  return [...new Set([field.jsonName, field.name])].map((name) => [
    name,
    shape,
  ]);
}

function innerMessage(field: DescField): DescMessage | undefined {
  const { message } = field;
  return message === undefined || hasOwnJson(message) ? undefined : message;
}
