export type { ConformanceOptions, Connection, DefineCase, Need, StoreUnderTest } from './conformance/subject.ts'
export { storeConformance } from './conformance/suite.ts'
export { type FaultyStore, type FaultyStoreOptions, faultyStore } from './faulty-store.ts'
export { ConnectionBroken, type Fault, type Ghost, type Held, type RequestType, Throttled, Wire } from './wire.ts'
