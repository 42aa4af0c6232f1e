import { textIfMatches } from "./cel-format.ts";
import type { EnvoyConfig } from "./envoy-config.ts";

const REALM = 'Bearer realm="weft"';
const ERROR = ', error="invalid_token"';

/** What a 401 says of a token that was sent (RFC 6750, section 3). */
export const INVALID_TOKEN = `${REALM}${ERROR}`;

/** What every 401 has to say (RFC 9110, section 15.5.2); the claims filter, which takes the token away, says it itself. */
export const CHALLENGE: EnvoyConfig = {
  header: {
    key: "www-authenticate",
    value: `${REALM}${textIfMatches("authorization", "^(?i:bearer) ", ERROR)}`,
  },
  append_action: "ADD_IF_ABSENT",
};
