/* Stand-ins for kernels that are not written yet: calls raise NotImplementedError. */
#include "kernels/shared/structured.h"
static int no(rt_call_frame*c){PyErr_SetString(PyExc_NotImplementedError,"stub");return -1;}
__attribute__((weak)) PyObject *rt_k__to_copy(rt_operator*op, rt_keyset ks, PyObject*const*a, Py_ssize_t k, void*c){PyErr_SetString(PyExc_NotImplementedError,"stub rt_k__to_copy");return 0;}
__attribute__((weak)) const rt_structured_def rt_k_abs_out = {"rt_k_abs_out",no,no,0};
__attribute__((weak)) const rt_structured_def rt_k_acos_out = {"rt_k_acos_out",no,no,0};
__attribute__((weak)) PyObject *rt_k_add_Scalar(rt_operator*op, rt_keyset ks, PyObject*const*a, Py_ssize_t k, void*c){PyErr_SetString(PyExc_NotImplementedError,"stub rt_k_add_Scalar");return 0;}
__attribute__((weak)) PyObject *rt_k_add__Scalar(rt_operator*op, rt_keyset ks, PyObject*const*a, Py_ssize_t k, void*c){PyErr_SetString(PyExc_NotImplementedError,"stub rt_k_add__Scalar");return 0;}
__attribute__((weak)) const rt_structured_def rt_k_asin_out = {"rt_k_asin_out",no,no,0};
__attribute__((weak)) const rt_structured_def rt_k_atan_out = {"rt_k_atan_out",no,no,0};
__attribute__((weak)) PyObject *rt_k_bitwise_and_Scalar(rt_operator*op, rt_keyset ks, PyObject*const*a, Py_ssize_t k, void*c){PyErr_SetString(PyExc_NotImplementedError,"stub rt_k_bitwise_and_Scalar");return 0;}
__attribute__((weak)) PyObject *rt_k_bitwise_and__Scalar(rt_operator*op, rt_keyset ks, PyObject*const*a, Py_ssize_t k, void*c){PyErr_SetString(PyExc_NotImplementedError,"stub rt_k_bitwise_and__Scalar");return 0;}
__attribute__((weak)) const rt_structured_def rt_k_bitwise_and_out = {"rt_k_bitwise_and_out",no,no,0};
__attribute__((weak)) const rt_structured_def rt_k_bitwise_not_out = {"rt_k_bitwise_not_out",no,no,0};
__attribute__((weak)) PyObject *rt_k_bitwise_or_Scalar(rt_operator*op, rt_keyset ks, PyObject*const*a, Py_ssize_t k, void*c){PyErr_SetString(PyExc_NotImplementedError,"stub rt_k_bitwise_or_Scalar");return 0;}
__attribute__((weak)) PyObject *rt_k_bitwise_or__Scalar(rt_operator*op, rt_keyset ks, PyObject*const*a, Py_ssize_t k, void*c){PyErr_SetString(PyExc_NotImplementedError,"stub rt_k_bitwise_or__Scalar");return 0;}
__attribute__((weak)) const rt_structured_def rt_k_bitwise_or_out = {"rt_k_bitwise_or_out",no,no,0};
__attribute__((weak)) PyObject *rt_k_bitwise_xor_Scalar(rt_operator*op, rt_keyset ks, PyObject*const*a, Py_ssize_t k, void*c){PyErr_SetString(PyExc_NotImplementedError,"stub rt_k_bitwise_xor_Scalar");return 0;}
__attribute__((weak)) PyObject *rt_k_bitwise_xor__Scalar(rt_operator*op, rt_keyset ks, PyObject*const*a, Py_ssize_t k, void*c){PyErr_SetString(PyExc_NotImplementedError,"stub rt_k_bitwise_xor__Scalar");return 0;}
__attribute__((weak)) const rt_structured_def rt_k_bitwise_xor_out = {"rt_k_bitwise_xor_out",no,no,0};
__attribute__((weak)) const rt_structured_def rt_k_ceil_out = {"rt_k_ceil_out",no,no,0};
__attribute__((weak)) const rt_structured_def rt_k_clamp_Tensor_out = {"rt_k_clamp_Tensor_out",no,no,0};
__attribute__((weak)) const rt_structured_def rt_k_clamp_max_Tensor_out = {"rt_k_clamp_max_Tensor_out",no,no,0};
__attribute__((weak)) const rt_structured_def rt_k_clamp_max_out = {"rt_k_clamp_max_out",no,no,0};
__attribute__((weak)) const rt_structured_def rt_k_clamp_min_Tensor_out = {"rt_k_clamp_min_Tensor_out",no,no,0};
__attribute__((weak)) const rt_structured_def rt_k_clamp_min_out = {"rt_k_clamp_min_out",no,no,0};
__attribute__((weak)) const rt_structured_def rt_k_clamp_out = {"rt_k_clamp_out",no,no,0};
__attribute__((weak)) PyObject *rt_k_clone(rt_operator*op, rt_keyset ks, PyObject*const*a, Py_ssize_t k, void*c){PyErr_SetString(PyExc_NotImplementedError,"stub rt_k_clone");return 0;}
__attribute__((weak)) PyObject *rt_k_copy_(rt_operator*op, rt_keyset ks, PyObject*const*a, Py_ssize_t k, void*c){PyErr_SetString(PyExc_NotImplementedError,"stub rt_k_copy_");return 0;}
__attribute__((weak)) const rt_structured_def rt_k_cos_out = {"rt_k_cos_out",no,no,0};
__attribute__((weak)) const rt_structured_def rt_k_cosh_out = {"rt_k_cosh_out",no,no,0};
__attribute__((weak)) PyObject *rt_k_div_Scalar(rt_operator*op, rt_keyset ks, PyObject*const*a, Py_ssize_t k, void*c){PyErr_SetString(PyExc_NotImplementedError,"stub rt_k_div_Scalar");return 0;}
__attribute__((weak)) PyObject *rt_k_div_Scalar_mode(rt_operator*op, rt_keyset ks, PyObject*const*a, Py_ssize_t k, void*c){PyErr_SetString(PyExc_NotImplementedError,"stub rt_k_div_Scalar_mode");return 0;}
__attribute__((weak)) PyObject *rt_k_div__Scalar(rt_operator*op, rt_keyset ks, PyObject*const*a, Py_ssize_t k, void*c){PyErr_SetString(PyExc_NotImplementedError,"stub rt_k_div__Scalar");return 0;}
__attribute__((weak)) PyObject *rt_k_div__Scalar_mode(rt_operator*op, rt_keyset ks, PyObject*const*a, Py_ssize_t k, void*c){PyErr_SetString(PyExc_NotImplementedError,"stub rt_k_div__Scalar_mode");return 0;}
__attribute__((weak)) const rt_structured_def rt_k_eq_Scalar_out = {"rt_k_eq_Scalar_out",no,no,0};
__attribute__((weak)) const rt_structured_def rt_k_eq_Tensor_out = {"rt_k_eq_Tensor_out",no,no,0};
__attribute__((weak)) const rt_structured_def rt_k_erf_out = {"rt_k_erf_out",no,no,0};
__attribute__((weak)) const rt_structured_def rt_k_exp_out = {"rt_k_exp_out",no,no,0};
__attribute__((weak)) const rt_structured_def rt_k_expm1_out = {"rt_k_expm1_out",no,no,0};
__attribute__((weak)) PyObject *rt_k_fill__Scalar(rt_operator*op, rt_keyset ks, PyObject*const*a, Py_ssize_t k, void*c){PyErr_SetString(PyExc_NotImplementedError,"stub rt_k_fill__Scalar");return 0;}
__attribute__((weak)) PyObject *rt_k_fill__Tensor(rt_operator*op, rt_keyset ks, PyObject*const*a, Py_ssize_t k, void*c){PyErr_SetString(PyExc_NotImplementedError,"stub rt_k_fill__Tensor");return 0;}
__attribute__((weak)) PyObject *rt_k_floor_divide_Scalar(rt_operator*op, rt_keyset ks, PyObject*const*a, Py_ssize_t k, void*c){PyErr_SetString(PyExc_NotImplementedError,"stub rt_k_floor_divide_Scalar");return 0;}
__attribute__((weak)) PyObject *rt_k_floor_divide__Scalar(rt_operator*op, rt_keyset ks, PyObject*const*a, Py_ssize_t k, void*c){PyErr_SetString(PyExc_NotImplementedError,"stub rt_k_floor_divide__Scalar");return 0;}
__attribute__((weak)) const rt_structured_def rt_k_floor_out = {"rt_k_floor_out",no,no,0};
__attribute__((weak)) PyObject *rt_k_fmod_Scalar(rt_operator*op, rt_keyset ks, PyObject*const*a, Py_ssize_t k, void*c){PyErr_SetString(PyExc_NotImplementedError,"stub rt_k_fmod_Scalar");return 0;}
__attribute__((weak)) PyObject *rt_k_fmod__Scalar(rt_operator*op, rt_keyset ks, PyObject*const*a, Py_ssize_t k, void*c){PyErr_SetString(PyExc_NotImplementedError,"stub rt_k_fmod__Scalar");return 0;}
__attribute__((weak)) const rt_structured_def rt_k_ge_Scalar_out = {"rt_k_ge_Scalar_out",no,no,0};
__attribute__((weak)) const rt_structured_def rt_k_ge_Tensor_out = {"rt_k_ge_Tensor_out",no,no,0};
__attribute__((weak)) const rt_structured_def rt_k_gt_Scalar_out = {"rt_k_gt_Scalar_out",no,no,0};
__attribute__((weak)) const rt_structured_def rt_k_gt_Tensor_out = {"rt_k_gt_Tensor_out",no,no,0};
__attribute__((weak)) const rt_structured_def rt_k_isinf_out = {"rt_k_isinf_out",no,no,0};
__attribute__((weak)) const rt_structured_def rt_k_isnan_out = {"rt_k_isnan_out",no,no,0};
__attribute__((weak)) const rt_structured_def rt_k_le_Scalar_out = {"rt_k_le_Scalar_out",no,no,0};
__attribute__((weak)) const rt_structured_def rt_k_le_Tensor_out = {"rt_k_le_Tensor_out",no,no,0};
__attribute__((weak)) const rt_structured_def rt_k_log10_out = {"rt_k_log10_out",no,no,0};
__attribute__((weak)) const rt_structured_def rt_k_log1p_out = {"rt_k_log1p_out",no,no,0};
__attribute__((weak)) const rt_structured_def rt_k_log2_out = {"rt_k_log2_out",no,no,0};
__attribute__((weak)) const rt_structured_def rt_k_log_out = {"rt_k_log_out",no,no,0};
__attribute__((weak)) const rt_structured_def rt_k_logical_and_out = {"rt_k_logical_and_out",no,no,0};
__attribute__((weak)) const rt_structured_def rt_k_logical_not_out = {"rt_k_logical_not_out",no,no,0};
__attribute__((weak)) const rt_structured_def rt_k_logical_or_out = {"rt_k_logical_or_out",no,no,0};
__attribute__((weak)) const rt_structured_def rt_k_logical_xor_out = {"rt_k_logical_xor_out",no,no,0};
__attribute__((weak)) const rt_structured_def rt_k_lt_Scalar_out = {"rt_k_lt_Scalar_out",no,no,0};
__attribute__((weak)) const rt_structured_def rt_k_lt_Tensor_out = {"rt_k_lt_Tensor_out",no,no,0};
__attribute__((weak)) PyObject *rt_k_mul_Scalar(rt_operator*op, rt_keyset ks, PyObject*const*a, Py_ssize_t k, void*c){PyErr_SetString(PyExc_NotImplementedError,"stub rt_k_mul_Scalar");return 0;}
__attribute__((weak)) PyObject *rt_k_mul__Scalar(rt_operator*op, rt_keyset ks, PyObject*const*a, Py_ssize_t k, void*c){PyErr_SetString(PyExc_NotImplementedError,"stub rt_k_mul__Scalar");return 0;}
__attribute__((weak)) const rt_structured_def rt_k_ne_Scalar_out = {"rt_k_ne_Scalar_out",no,no,0};
__attribute__((weak)) const rt_structured_def rt_k_ne_Tensor_out = {"rt_k_ne_Tensor_out",no,no,0};
__attribute__((weak)) const rt_structured_def rt_k_neg_out = {"rt_k_neg_out",no,no,0};
__attribute__((weak)) const rt_structured_def rt_k_pow_Scalar_out = {"rt_k_pow_Scalar_out",no,no,0};
__attribute__((weak)) const rt_structured_def rt_k_pow_Tensor_Scalar_out = {"rt_k_pow_Tensor_Scalar_out",no,no,0};
__attribute__((weak)) PyObject *rt_k_random__from(rt_operator*op, rt_keyset ks, PyObject*const*a, Py_ssize_t k, void*c){PyErr_SetString(PyExc_NotImplementedError,"stub rt_k_random__from");return 0;}
__attribute__((weak)) const rt_structured_def rt_k_reciprocal_out = {"rt_k_reciprocal_out",no,no,0};
__attribute__((weak)) const rt_structured_def rt_k_relu_out = {"rt_k_relu_out",no,no,0};
__attribute__((weak)) PyObject *rt_k_remainder_Scalar(rt_operator*op, rt_keyset ks, PyObject*const*a, Py_ssize_t k, void*c){PyErr_SetString(PyExc_NotImplementedError,"stub rt_k_remainder_Scalar");return 0;}
__attribute__((weak)) PyObject *rt_k_remainder__Scalar(rt_operator*op, rt_keyset ks, PyObject*const*a, Py_ssize_t k, void*c){PyErr_SetString(PyExc_NotImplementedError,"stub rt_k_remainder__Scalar");return 0;}
__attribute__((weak)) const rt_structured_def rt_k_round_decimals_out = {"rt_k_round_decimals_out",no,no,0};
__attribute__((weak)) const rt_structured_def rt_k_round_out = {"rt_k_round_out",no,no,0};
__attribute__((weak)) const rt_structured_def rt_k_rsqrt_out = {"rt_k_rsqrt_out",no,no,0};
__attribute__((weak)) PyObject *rt_k_rsub_Scalar(rt_operator*op, rt_keyset ks, PyObject*const*a, Py_ssize_t k, void*c){PyErr_SetString(PyExc_NotImplementedError,"stub rt_k_rsub_Scalar");return 0;}
__attribute__((weak)) const rt_structured_def rt_k_rsub_out = {"rt_k_rsub_out",no,no,0};
__attribute__((weak)) const rt_structured_def rt_k_sigmoid_out = {"rt_k_sigmoid_out",no,no,0};
__attribute__((weak)) const rt_structured_def rt_k_sign_out = {"rt_k_sign_out",no,no,0};
__attribute__((weak)) const rt_structured_def rt_k_sin_out = {"rt_k_sin_out",no,no,0};
__attribute__((weak)) const rt_structured_def rt_k_sinh_out = {"rt_k_sinh_out",no,no,0};
__attribute__((weak)) const rt_structured_def rt_k_sqrt_out = {"rt_k_sqrt_out",no,no,0};
__attribute__((weak)) PyObject *rt_k_square(rt_operator*op, rt_keyset ks, PyObject*const*a, Py_ssize_t k, void*c){PyErr_SetString(PyExc_NotImplementedError,"stub rt_k_square");return 0;}
__attribute__((weak)) PyObject *rt_k_square_(rt_operator*op, rt_keyset ks, PyObject*const*a, Py_ssize_t k, void*c){PyErr_SetString(PyExc_NotImplementedError,"stub rt_k_square_");return 0;}
__attribute__((weak)) PyObject *rt_k_sub_Scalar(rt_operator*op, rt_keyset ks, PyObject*const*a, Py_ssize_t k, void*c){PyErr_SetString(PyExc_NotImplementedError,"stub rt_k_sub_Scalar");return 0;}
__attribute__((weak)) PyObject *rt_k_sub__Scalar(rt_operator*op, rt_keyset ks, PyObject*const*a, Py_ssize_t k, void*c){PyErr_SetString(PyExc_NotImplementedError,"stub rt_k_sub__Scalar");return 0;}
__attribute__((weak)) const rt_structured_def rt_k_tan_out = {"rt_k_tan_out",no,no,0};
__attribute__((weak)) const rt_structured_def rt_k_tanh_out = {"rt_k_tanh_out",no,no,0};
__attribute__((weak)) const rt_structured_def rt_k_trunc_out = {"rt_k_trunc_out",no,no,0};
__attribute__((weak)) const rt_structured_def rt_k_where_self_out = {"rt_k_where_self_out",no,no,0};
__attribute__((weak)) PyObject *rt_k_zero_(rt_operator*op, rt_keyset ks, PyObject*const*a, Py_ssize_t k, void*c){PyErr_SetString(PyExc_NotImplementedError,"stub rt_k_zero_");return 0;}
