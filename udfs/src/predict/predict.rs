//! `predict('model', ...)`: the model's prediction.

use std::sync::Arc;

use datafusion_expr::ScalarUDF;
use datafusion_macros::user_doc;
use foretell_model::{Answer, OnRefusedRow};

use super::named::{NamedCall, named_call_udf};
use crate::source::ModelSource;

#[user_doc(
    doc_section(label = "Model Functions"),
    description = "The model's prediction for each row: the label in its own type, a number, or a list for a model with a vector output. NULL where a feature is NULL that the model cannot do without.",
    syntax_example = "predict(model, [feature1, feature2, ... | * | table.* | struct | list])",
    sql_example = r#"```sql
> SELECT predict('late', 30, 719, 17, 'UA', 'EWR', 'ORD') AS prediction;
+------------+
| prediction |
+------------+
| late       |
+------------+
```"#,
    argument(name = "model", description = "Name of the model, a text literal."),
    argument(
        name = "feature",
        description = "The model's features in its order; or `*`, `table.*` or nothing, which bind columns by name; or one struct, bound by field name; or one list with all numbers."
    )
)]
/// See the SQL documentation on this type.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct PredictFunc {
    pub(crate) call: NamedCall,
}

named_call_udf!(PredictFunc);

/// `predict` over the models of `source`.
pub fn predict_udf(source: &Arc<dyn ModelSource>) -> ScalarUDF {
    ScalarUDF::from(PredictFunc { call: NamedCall::new("predict", Answer::Prediction, OnRefusedRow::Fail, source) })
}
