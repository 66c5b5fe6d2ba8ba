// Functions of DuckDB whose value follows from the row alone, for expressions of live models that DuckDB computes: what the gate lets
// everybody use (`listed-functions.ts`), without those of many rows and those that depend on the moment or on chance. A replay
// gives the same values.
import { SAFE_FUNCTIONS, STRICT_FUNCTIONS } from './listed-functions.ts'

const words = (text: string): ReadonlySet<string> => new Set(text.trim().split(/\s+/))

/** They make one value, or a number, of many rows; or many rows of one. */
export const OF_MANY_ROWS = words(`
  any_value approx_count_distinct approx_quantile approx_top_k arbitrary arg_max arg_max_null arg_max_nulls_last
  arg_min arg_min_null arg_min_nulls_last argmax argmin array_agg avg bit_and bit_or bit_xor bool_and bool_or corr
  count count_if count_star countif covar_pop covar_samp cume_dist dense_rank entropy favg fill first first_value
  fsum generate_subscripts geomean geometric_mean group_concat histogram histogram_exact json_group_array
  json_group_object json_group_structure kahan_sum kurtosis kurtosis_pop lag last last_value lead list listagg mad
  max max_by mean median min min_by mode nth_value ntile percent_rank product quantile quantile_cont quantile_disc
  rank rank_dense regexp_split_to_table regr_avgx regr_avgy regr_count regr_intercept regr_r2 regr_slope regr_sxx
  regr_sxy regr_syy reservoir_quantile row_number sem skewness stddev stddev_pop stddev_samp string_agg sum
  sum_no_overflow sumkahan var_pop var_samp variance wavg weighted_avg
`)

/** They differ from call to call, or from one moment to the next. The functions that apply an aggregate by its name may be such. */
export const VARYING = words(`
  age ago aggregate array_aggr array_aggregate current_date current_localtime current_localtimestamp gen_random_uuid
  get_current_time get_current_timestamp list_aggr list_aggregate now random today transaction_timestamp uuid uuidv4
  uuidv7 version
`)

export const isRowFunction = (name: string): boolean =>
  (SAFE_FUNCTIONS.has(name) || STRICT_FUNCTIONS.has(name)) && !OF_MANY_ROWS.has(name) && !VARYING.has(name)
