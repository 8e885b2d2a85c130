/** The one version of the protocol that this node speaks, with clients and with peers. */
export const PROTOCOL_VERSION = 1;
