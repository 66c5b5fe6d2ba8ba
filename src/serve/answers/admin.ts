// The admin API as the console reads it: every route under /admin with the JSON that it answers. The server implements
// these types, the console imports them (types only), `test/console/fixture-server.ts` answers them with fixed data. Each
// subject has a file beside this one; here is what all answers share. They say only what the manifest, the lake, the control
// store and the metrics can know: words and layouts are the console's.
//
// Conventions. Times are epoch milliseconds (`...Ms` of an instant ends in `AtMs` or stands alone as `nowMs`, `startMs`).
// Counts, bytes and offsets are numbers below 2^53. Values of data are `Cell`, exactly as `POST /sql` prints them
// (docs/reference/types.md: longs beyond 2^53-1 and decimals as strings, timestamps ISO 8601 UTC with microseconds). Snapshot ids are
// decimal text (63 bits). `null` = not known or never happened; an absent field = does not apply.
// Every answer carries `nowMs`, the server's clock, from which ages tick. Errors are `application/problem+json` (`Problem`).
// Every route runs under the caller's policy: relations that the caller may not see are absent from lists and 404 by name.
//
// | route | answers | notes |
// |---|---|---|
// | GET /admin/session | Session | who am I, roles I may act as, counts of the navigation |
// | GET /admin/events | text/event-stream | see `AdminEvent`; sent with fetch and a Bearer token, not EventSource |
// | GET /admin/overview | Overview | relations in project order, what needs attention, last runs, all streams' counters |
// | GET /admin/relations | Relations | the overview's table alone; also the catalog that SQL completion uses |
// | GET /admin/relations/:name | RelationDetail | 404 MR_NOT_FOUND when unknown or not visible |
// | GET /admin/relations/:name/rows?snapshot=&limit=&order=&desc=1&filter=col:op:value (repeatable) | RowsPage | newest first without `order`; limit <= 1000 |
// | GET /admin/relations/:name/schema | SchemaPage | |
// | GET /admin/relations/:name/quality | QualityPage | |
// | GET /admin/relations/:name/snapshots?limit=&before=sequence | SnapshotsPage | newest first |
// | GET /admin/relations/:name/lineage?up=2&down=2 | Lineage | the part of the graph around one relation |
// | GET /admin/lineage | Lineage | the whole graph |
// | GET /admin/streams | Streams | |
// | GET /admin/streams/:name?range=1h | StreamDetail | range: 1h, 24h, 7d |
// | GET /admin/runs?state=&hours=24&limit=&before=id | Runs | newest first |
// | GET /admin/runs/:id | RunDetail | |
// | POST /admin/runs | RunStarted | body RunRequest; 403 MR_ACCESS_DENIED unless `session.mayRun` |
// | POST /admin/relations/:name/backfill | BackfillState | administrators: a live model is computed again, or chosen intervals; GET says how far |
// | POST /admin/relations/:name/restore | Restored | administrators; body `{to}`, see `../admin/storage.ts`, as for the three below |
// | GET, POST /admin/relations/:name/tags | Tags | administrators; body of POST `{tag, snapshot?, maxAgeMs?}` |
// | POST /admin/relations/:name/tags/:tag/remove | Tags | administrators |
// | GET /admin/advice | `{advice}` | administrators |
// | POST /admin/runs/:id/resume | RunStarted | a new run of what failed and what waited for it |
// | GET /admin/dashboards | Dashboards | those that the caller's role may open |
// | GET /admin/dashboards/:name | DashboardDetail | layout only |
// | GET /admin/dashboards/:name/tiles/:index | TileAnswer | one request a tile, so that a tile fails alone |
// | POST /sql | SqlAnswer, SqlWritten | docs/reference/http.md; additions that the console uses are in SqlRequest and SqlAnswer |
//
// Acting as another role (the SQL page's "As"): header `Millrace-As: <role>` and, where the role has attributes,
// `Millrace-As-Attributes: <JSON object>`; on any GET above and on POST /sql. Only roles of `session.roles`, else 403.

/** A value of data as `POST /sql` prints it in JSON. */
export type Cell = string | number | boolean | null

export interface Clocked {
  /** The server's clock when it answered, epoch ms. */
  readonly nowMs: number
}

/** Error body, RFC 9457 with our members. */
export interface Problem {
  readonly status: number
  readonly code: string
  readonly detail: string
  readonly fix?: string
  /** The user's file and line, `path:line`. */
  readonly at?: string
}
