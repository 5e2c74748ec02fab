/**
 * `node:crypto`, loaded by the first call that needs it: that takes 4 ms, as long as all of Alonce. Where the AWS SDK is
 * loaded it is there already. `import()` would make every caller wait for a promise.
 */
export const crypto = (): typeof import('node:crypto') => process.getBuiltinModule('node:crypto')
