export { fetchIdempotency } from './http-fetch.ts'
export { type HttpAnswer, httpIdempotency } from './http-lambda.ts'
export type { HttpIdempotencyOptions, ProblemStatuses } from './http-options.ts'
