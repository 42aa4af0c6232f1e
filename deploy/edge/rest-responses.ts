import { typed, type EnvoyConfig } from "./envoy-config.ts";

const LUA = "envoy.filters.http.lua";

/**
 * `response_body` of an HTTP rule. The transcoder prints `{"order":{...}}` without white space, and the plugin sees to it
 * that the message has no other field, so the inner object is what stands between.
 */
const UNWRAP = `
function envoy_on_response(handle)
  if handle:headers():get(":status") ~= "200" then return end
  local prefix = '{"' .. handle:filterContext():get("field") .. '":'
  local body = handle:body(true)
  local text = body:getBytes(0, body:length())
  if text:sub(1, #prefix) ~= prefix then return end
  local length = body:setBytes(text:sub(#prefix + 1, -2))
  handle:headers():replace("content-length", length)
end
`;

/** The transcoder calls a line of JSON a message "application/json". */
const NDJSON = `
function envoy_on_response(handle)
  if handle:headers():get(":status") ~= "200" then return end
  handle:headers():replace("content-type", "application/x-ndjson")
end
`;

/** Stands before the transcoder, so that it sees JSON. Off, but on the routes that turn a part of it on. */
export function responseFilter(): EnvoyConfig {
  return {
    name: LUA,
    disabled: true,
    typed_config: typed("envoy.extensions.filters.http.lua.v3.Lua", {
      source_codes: {
        unwrap: { inline_string: UNWRAP },
        ndjson: { inline_string: NDJSON },
      },
    }),
  };
}

/** For a route whose response is one field of the message; `field` is its JSON name. */
export function unwrapResponse(field: string): EnvoyConfig {
  return { [LUA]: perRoute({ name: "unwrap", filter_context: { field } }) };
}

/** For a route that streams. */
export const NDJSON_RESPONSE: EnvoyConfig = {
  [LUA]: perRoute({ name: "ndjson" }),
};

function perRoute(fields: EnvoyConfig): EnvoyConfig {
  return typed("envoy.extensions.filters.http.lua.v3.LuaPerRoute", fields);
}
