//! `predict_proba('model', ...)`: the probability of each class.

use std::sync::Arc;

use datafusion_expr::ScalarUDF;
use datafusion_macros::user_doc;
use foretell_model::{Answer, OnRefusedRow};

use super::named::{NamedCall, named_call_udf};
use crate::source::ModelSource;

#[user_doc(
    doc_section(label = "Model Functions"),
    description = "The probability of each class as a struct with one field per class; a list in class order above 256 classes.",
    syntax_example = "predict_proba(model, [feature1, feature2, ... | * | table.* | struct | list])",
    sql_example = r#"```sql
> SELECT predict_proba('late', 30, 719, 17, 'UA', 'EWR', 'ORD')['late'] AS probability;
+-------------+
| probability |
+-------------+
| 0.63510996  |
+-------------+
```"#,
    argument(name = "model", description = "Name of the model, a text literal."),
    argument(
        name = "feature",
        description = "The model's features in its order; or `*`, `table.*` or nothing, which bind columns by name; or one struct, bound by field name; or one list with all numbers."
    )
)]
/// See the SQL documentation on this type.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct PredictProbaFunc {
    pub(crate) call: NamedCall,
}

named_call_udf!(PredictProbaFunc);

/// `predict_proba` over the models of `source`.
pub fn predict_proba_udf(source: &Arc<dyn ModelSource>) -> ScalarUDF {
    ScalarUDF::from(PredictProbaFunc {
        call: NamedCall::new("predict_proba", Answer::Probabilities, OnRefusedRow::Fail, source),
    })
}
