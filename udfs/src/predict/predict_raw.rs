//! `predict_raw('model', ...)`: every output of the model.

use std::sync::Arc;

use datafusion_expr::ScalarUDF;
use datafusion_macros::user_doc;
use foretell_model::{Answer, OnRefusedRow};

use super::named::{NamedCall, named_call_udf};
use crate::source::ModelSource;

#[user_doc(
    doc_section(label = "Model Functions"),
    description = "Every output of the model by the name it has in the file, as a struct.",
    syntax_example = "predict_raw(model, [feature1, feature2, ... | * | table.* | struct | list])",
    sql_example = r#"```sql
> SELECT predict_raw('delay', 1, 2, 17, 30, 45.5, 120, 719)['variable'] AS minutes;
+----------+
| minutes  |
+----------+
| 40.99621 |
+----------+
```"#,
    argument(name = "model", description = "Name of the model, a text literal."),
    argument(
        name = "feature",
        description = "The model's features in its order; or `*`, `table.*` or nothing, which bind columns by name; or one struct, bound by field name; or one list with all numbers."
    )
)]
/// See the SQL documentation on this type.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct PredictRawFunc {
    pub(crate) call: NamedCall,
}

named_call_udf!(PredictRawFunc);

/// `predict_raw` over the models of `source`.
pub fn predict_raw_udf(source: &Arc<dyn ModelSource>) -> ScalarUDF {
    ScalarUDF::from(PredictRawFunc { call: NamedCall::new("predict_raw", Answer::Raw, OnRefusedRow::Fail, source) })
}
