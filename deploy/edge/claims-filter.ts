import { toBinary } from "@bufbuild/protobuf";
import { CLAIMS_HEADER } from "./claims.ts";
import { typed, type EnvoyConfig } from "./envoy-config.ts";
import { errorInfo, statusDetails, unpadded } from "./error-details.ts";
import { ErrorInfoSchema } from "../../gen/ts/google/rpc/error_details_pb.ts";
import type { Issuer } from "./issuer.ts";
import { JWT_FILTER, PAYLOAD_KEY } from "./jwt-filter.ts";
import { luaLiteral } from "./lua-literal.ts";
import { SCOPE_REFUSAL } from "./scope-refusal.ts";
import type { MethodRoutes } from "./route-table.ts";

const CLAIMS_FILTER = "weft.claims";
/** The namespace of dynamic metadata that tells other filters and the access log who calls. */
export const CALLER_METADATA = "weft.caller";

/**
 * Reads a verified token by its issuer's mapping, refuses it where it lacks a scope of the route, and forwards what is left
 * of it in one shape, so that no service knows of issuers. Dynamic metadata `weft.caller` has `tenant` and `subject`, and `plan` where the token has it.
 */
const READ_CLAIMS = `
local function at(value, path)
  for _, name in ipairs(path) do
    if type(value) ~= "table" then return nil end
    value = value[name]
  end
  return value
end

local function text_at(value, path)
  local found = at(value, path)
  if type(found) == "string" and found ~= "" then return found end
end

local function each_word(value, visit)
  if type(value) == "string" then
    for word in value:gmatch("%S+") do visit(word) end
  elseif type(value) == "table" then
    for _, word in ipairs(value) do
      if type(word) == "string" then visit(word) end
    end
  end
end

local function scopes_of(issuer, payload)
  local list, known = {}, {}
  local function add(scope)
    if not known[scope] and not scope:find("%s") then
      known[scope] = true
      list[#list + 1] = scope
    end
  end
  for _, path in ipairs(issuer.scopes) do
    each_word(at(payload, path), function(word)
      if word:sub(1, #issuer.prefix) == issuer.prefix then
        add(word:sub(#issuer.prefix + 1))
      end
    end)
  end
  for _, path in ipairs(issuer.roles) do
    each_word(at(payload, path), function(role)
      for _, scope in ipairs(issuer.grants[role] or {}) do add(scope) end
    end)
  end
  table.sort(list)
  return list, known
end

local function meets(issuer, payload)
  for name, allowed in pairs(issuer.demand) do
    local met = false
    each_word(payload[name], function(word) met = met or allowed[word] == true end)
    if not met then return false end
  end
  return true
end

local function json_text(text)
  return '"' .. text:gsub('[%c"\\\\]', function(character)
    return string.format("\\\\u%04x", character:byte())
  end) .. '"'
end

local function base64url(handle, text)
  return (handle:base64Escape(text):gsub("+", "-"):gsub("/", "_"):gsub("=", ""))
end

local function refuse(handle, missing)
  local message = "the token lacks the scope " .. missing.scope
  local refusal = handle:streamInfo():dynamicMetadata()
  refusal:set(REFUSAL, "scope", missing.scope)
  refusal:set(REFUSAL, "message", message)
  refusal:set(REFUSAL, "info", missing.info)
  refusal:set(REFUSAL, "status", missing.status)
  local connect_error = '{"error":{"code":"permission_denied","message":' .. json_text(message)
    .. ',"details":[{"type":"google.rpc.ErrorInfo","value":"' .. missing.info .. '"}]}}'
  -- Connect streams end with a frame: flag 2, a length of four octets, JSON.
  local frame = string.char(2, 0, 0, math.floor(#connect_error / 256), #connect_error % 256)
  handle:respond({[":status"] = "403"}, frame .. connect_error)
end

function envoy_on_request(handle)
  local verified = handle:streamInfo():dynamicMetadata():get(JWT_FILTER)
  local payload = verified and verified[PAYLOAD_KEY]
  if payload == nil then return end
  local issuer = ISSUERS[payload.iss]
  local subject = issuer and text_at(payload, issuer.subject)
  local tenant = issuer and (issuer.tenant or text_at(payload, issuer.tenant_claim))
  local known_tenant = issuer and (issuer.tenants == nil or issuer.tenants[tenant])
  if not (subject and tenant and known_tenant and meets(issuer, payload)) then
    handle:respond({[":status"] = "401"}, "")
    return
  end
  local scopes, has = scopes_of(issuer, payload)
  local wanted = handle:filterContext():get("scopes") or {}
  for _, each in ipairs(wanted) do
    if not has[each.scope] then return refuse(handle, each) end
  end
  local caller = handle:streamInfo():dynamicMetadata()
  caller:set(CALLER, "tenant", tenant)
  caller:set(CALLER, "subject", subject)
  local plan = text_at(payload, issuer.plan_claim)
  if plan then caller:set(CALLER, "plan", plan) end
  handle:headers():replace(CLAIMS_HEADER, base64url(handle,
    '{"sub":' .. json_text(subject) .. ',"tenant":' .. json_text(tenant)
    .. ',"scope":' .. json_text(table.concat(scopes, " ")) .. '}'))
end
`;

/** Stands behind the filter that verifies tokens. */
export function claimsFilter(issuers: readonly Issuer[]): EnvoyConfig {
  const constants = {
    JWT_FILTER,
    PAYLOAD_KEY,
    CLAIMS_HEADER,
    CALLER: CALLER_METADATA,
    REFUSAL: SCOPE_REFUSAL,
    ISSUERS: Object.fromEntries(
      issuers.map((issuer) => [issuer.issuer, mappingOf(issuer)]),
    ),
  };
  const head = Object.entries(constants)
    .map(([name, value]) => `local ${name} = ${luaLiteral(value)}`)
    .join("\n");
  return {
    name: CLAIMS_FILTER,
    typed_config: typed("envoy.extensions.filters.http.lua.v3.Lua", {
      default_source_code: { inline_string: `${head}\n${READ_CLAIMS}` },
    }),
  };
}

/** For a route: the scopes that a token needs there, each with what its refusal says in binary. */
export function requiredScopes(method: MethodRoutes): EnvoyConfig {
  const scopes = method.scopes.map((scope) => {
    const info = errorInfo("SCOPE_MISSING", { scope });
    return {
      scope,
      info: unpadded(toBinary(ErrorInfoSchema, info)),
      status: statusDetails(7, `the token lacks the scope ${scope}`, info),
    };
  });
  if (scopes.length === 0) return {};
  return {
    [CLAIMS_FILTER]: typed("envoy.extensions.filters.http.lua.v3.LuaPerRoute", {
      filter_context: { scopes },
    }),
  };
}

function mappingOf(issuer: Issuer) {
  const { claims, demand, tenant, tenants } = issuer;
  const set = (names: readonly string[]) =>
    Object.fromEntries(names.map((name) => [name, true]));
  return {
    subject: claims.subject,
    tenant_claim: claims.tenant,
    plan_claim: claims.plan,
    tenant,
    tenants: tenants && set(tenants),
    scopes: claims.scopes,
    prefix: claims.scopePrefix,
    roles: claims.roles,
    grants: claims.grants,
    demand: Object.fromEntries(
      Object.entries(demand).map(([name, values]) => [name, set(values)]),
    ),
  };
}
