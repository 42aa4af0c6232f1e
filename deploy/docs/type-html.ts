import {
  ScalarType,
  type DescEnum,
  type DescField,
  type DescMessage,
  type Registry,
} from "@bufbuild/protobuf";
import { describe } from "../contracts/describe.ts";
import { readFieldBehavior } from "../openapi/field-behavior.ts";
import { readFieldRules } from "../openapi/field-rules.ts";
import { commentHtml } from "./comment-html.ts";
import { html, type Html } from "./html.ts";

/** A message with its fields, their types and rules. */
export function messageHtml(message: DescMessage, registry: Registry): Html {
  return html`<section id="${message.typeName}">
    <h3>${shortName(message)}</h3>
    ${commentHtml(describe(message))}
    <table>
      ${message.fields.map((field) => fieldHtml(field, registry))}
    </table>
  </section> `;
}

/** An enum with its values. */
export function enumHtml(desc: DescEnum): Html {
  return html`<section id="${desc.typeName}">
    <h3>${shortName(desc)}</h3>
    ${commentHtml(describe(desc))}
    <table>
      ${desc.values.map(
        (value) =>
          html`<tr>
            <td><code>${value.name}</code></td>
            <td>${value.number}</td>
            <td>${commentHtml(describe(value))}</td>
          </tr> `,
      )}
    </table>
  </section> `;
}

/** The name of a type, linked to where this page describes it. */
export function linkTo(desc: DescMessage | DescEnum): Html {
  return desc.typeName.startsWith("weft.")
    ? html`<a href="#${desc.typeName}">${shortName(desc)}</a>`
    : html`<code>${desc.typeName}</code>`;
}

function fieldHtml(field: DescField, registry: Registry): Html {
  const { required, outputOnly, inputOnly } = readFieldBehavior(
    field,
    registry,
  );
  const { keywords, notes } = readFieldRules(field, registry);
  const words = [
    required ? "required" : "",
    outputOnly ? "output only" : "",
    inputOnly ? "input only" : "",
    field.oneof ? `one of ${field.oneof.name}` : "",
    ...Object.entries(keywords).map(
      ([keyword, value]) => `${keyword} ${JSON.stringify(value)}`,
    ),
    ...notes,
  ].filter(Boolean);
  return html`<tr id="${field.parent.typeName}.${field.name}">
    <td><code>${field.name}</code> = ${field.number}</td>
    <td>${typeOf(field)}</td>
    <td>${commentHtml(describe(field))}<small>${words.join(" · ")}</small></td>
  </tr> `;
}

function typeOf(field: DescField): Html {
  switch (field.fieldKind) {
    case "scalar":
      return scalar(field.scalar);
    case "enum":
      return linkTo(field.enum);
    case "message":
      return linkTo(field.message);
    case "list":
      return html`repeated ${itemOf(field)}`;
    case "map":
      return html`map of ${scalar(field.mapKey)} to ${itemOf(field)}`;
  }
}

function itemOf(field: DescField & { fieldKind: "list" | "map" }): Html {
  if (field.message) return linkTo(field.message);
  if (field.enum) return linkTo(field.enum);
  return scalar(field.scalar);
}

function scalar(type: ScalarType): Html {
  return html`<code>${ScalarType[type].toLowerCase()}</code>`;
}

/** `Order.State` of `weft.order.v1.Order.State`. */
function shortName(desc: DescMessage | DescEnum): string {
  const { package: inPackage } = desc.file.proto;
  return desc.typeName.slice(inPackage.length + 1);
}
