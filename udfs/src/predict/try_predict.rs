//! `try_predict('model', ...)`: the prediction, or NULL where the model refuses the row.

use std::sync::Arc;

use datafusion_expr::ScalarUDF;
use datafusion_macros::user_doc;
use foretell_model::{Answer, OnRefusedRow};

use super::named::{NamedCall, named_call_udf};
use crate::source::ModelSource;

#[user_doc(
    doc_section(label = "Model Functions"),
    description = "As predict, but NULL for a row that the model refuses, such as one with a category it does not know.",
    syntax_example = "try_predict(model, [feature1, feature2, ... | * | table.* | struct | list])",
    sql_example = r#"```sql
> SELECT try_predict('late', 30, 719, 17, 'UA', 'EWR', 'ORD') AS prediction;
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
pub struct TryPredictFunc {
    pub(crate) call: NamedCall,
}

named_call_udf!(TryPredictFunc);

/// `try_predict` over the models of `source`.
pub fn try_predict_udf(source: &Arc<dyn ModelSource>) -> ScalarUDF {
    ScalarUDF::from(TryPredictFunc {
        call: NamedCall::new("try_predict", Answer::Prediction, OnRefusedRow::Null, source),
    })
}
