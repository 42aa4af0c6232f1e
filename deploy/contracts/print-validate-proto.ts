/**
 * Prints `buf/validate/validate.proto` from the descriptor inside `@bufbuild/protovalidate`.
 *
 * Our contracts import the file, no npm package ships it, and no remote registry may be needed to build. Only what a
 * compiler needs is printed: messages, enums, extensions, field numbers. The CEL expressions inside the rules stay out;
 * validators carry their own copy.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import {
  FieldDescriptorProto_Label as Label,
  FieldDescriptorProto_Type as Type,
  type DescriptorProto,
  type EnumDescriptorProto,
  type FieldDescriptorProto,
} from "@bufbuild/protobuf/wkt";
import { file_buf_validate_validate } from "@bufbuild/protovalidate/gen/buf/validate/validate_pb.js";

const target = join(
  "node_modules/.cache/weft/proto",
  "buf/validate/validate.proto",
);
const file = file_buf_validate_validate.proto;
mkdirSync(dirname(target), { recursive: true });
writeFileSync(target, printFile());

function printFile(): string {
  return [
    'syntax = "proto2";',
    `package ${file.package};`,
    ...file.dependency.map((path) => `import "${path}";`),
    ...file.messageType.map((message) => printMessage(message, "")),
    ...file.enumType.map((declaration) => printEnum(declaration, "")),
    ...file.extension.map(
      (field) =>
        `extend ${field.extendee} {\n${printField(field, "  ", [])}\n}`,
    ),
    "",
  ].join("\n");
}

function printMessage(message: DescriptorProto, indent: string): string {
  const inner = `${indent}  `;
  const oneofs = message.oneofDecl.map((oneof, index) => {
    const members = message.field.filter(
      (field) => hasOneof(field) && field.oneofIndex === index,
    );
    const lines = members.map((field) => printField(field, `${inner}  `, []));
    return `${inner}oneof ${oneof.name} {\n${lines.join("\n")}\n${inner}}`;
  });
  return [
    `${indent}message ${message.name} {`,
    ...message.extensionRange.map(
      // The descriptor's end is exclusive and may be one past the largest number, which the language spells "max".
      (range) =>
        `${inner}extensions ${range.start} to ${range.end === 0x20000000 ? "max" : range.end - 1};`,
    ),
    ...message.nestedType.map((nested) => printMessage(nested, inner)),
    ...message.enumType.map((nested) => printEnum(nested, inner)),
    ...oneofs,
    ...message.field
      .filter((field) => !hasOneof(field))
      .map((field) => printField(field, inner, ["label"])),
    `${indent}}`,
  ].join("\n");
}

function printField(
  field: FieldDescriptorProto,
  indent: string,
  parts: "label"[],
): string {
  const repeated = field.label === Label.REPEATED;
  const label =
    parts.length > 0 || field.extendee
      ? repeated
        ? "repeated "
        : "optional "
      : "";
  const type = field.typeName || Type[field.type].toLowerCase();
  return `${indent}${label}${type} ${field.name} = ${field.number};`;
}

function printEnum(declaration: EnumDescriptorProto, indent: string): string {
  const values = declaration.value.map(
    (value) => `${indent}  ${value.name} = ${value.number};`,
  );
  return `${indent}enum ${declaration.name} {\n${values.join("\n")}\n${indent}}`;
}

function hasOneof(field: FieldDescriptorProto): boolean {
  return Object.hasOwn(field, "oneofIndex");
}
