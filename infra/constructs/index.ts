export { AlonceAlarms, type AlonceAlarmsProps } from './alonce-alarms.ts'
export { AlonceDashboard, type AlonceDashboardProps } from './alonce-dashboard.ts'
export { AlonceEvents, type EventMetricOptions, type EventSource } from './alonce-events.ts'
export { AlonceTable, type AlonceTableAttributes, type AlonceTableProps } from './alonce-table.ts'
export {
  type AlarmOptions,
  AlonceTableAccess,
  type Protectable,
  type ProtectOptions,
  type Unavailable,
} from './alonce-table-access.ts'
export type { UseOptions } from './grants.ts'
export type { Broken, EventualRegions, Regions, StrongRegions } from './regions.ts'
