export { type IdempotentOptions, idempotent } from './middy-idempotent.ts'
export { type LockedOptions, locked } from './middy-locked.ts'
export { aloncePlugin, type PluginConfig } from './middy-plugin.ts'
